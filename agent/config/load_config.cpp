#include "agent/config/load_config.hpp"

#include "agent/config/connection_settings.hpp"
#include "agent/config/host_view_settings.hpp"
#include "agent/config/known_variables.hpp"
#include "agent/config/operator_settings.hpp"
#include "agent/config/proxy_settings.hpp"
#include "agent/config/setting_table.hpp"
#include "agent/config/setting_value.hpp"
#include "agent/config/tls_settings.hpp"
#include "agent/config/token_source.hpp"
#include "agent/config/toml_file.hpp"
#include "agent/config/uid_range.hpp"
#include "agent/http/listening_socket.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace satellite::agent {

const char* const default_config_file = "/etc/checkstack-satellite/satellite.toml";

namespace {

using Values = std::map<std::string, EffectiveSetting>;

/// Who may change the settings may have scripts run as anybody.
Result<void> check_settings_file(const std::string& path, std::uint32_t own_uid) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    return Error{ErrorCode::not_found, "settings file " + path +
                                           " cannot be opened; name another with --config, or "
                                           "create it"};
  }
  if (S_ISDIR(facts.st_mode)) {
    return Error{ErrorCode::invalid_input,
                 "settings file " + path + " is a directory; name the file in it"};
  }
  // This file decides what a core may ask of a root satellite, as operator.ceiling does.
  if (own_uid == 0 && S_ISREG(facts.st_mode) && others_may_change(facts, own_uid)) {
    return Error{ErrorCode::not_permitted,
                 "settings file " + path +
                     " can be changed by others than root, who could have scripts run as root; "
                     "remedy: chown root " +
                     path + " && chmod go-w " + path};
  }
  if (S_ISREG(facts.st_mode) && (facts.st_mode & S_IWOTH) != 0) {
    return Error{ErrorCode::not_permitted,
                 "settings file " + path +
                     " can be changed by every user of this host; remedy: chmod o-w " + path};
  }
  return {};
}

Result<std::map<std::string, FileValue>> read_settings_file(const std::string& path,
                                                            std::uint32_t own_uid) {
  if (const auto checked = check_settings_file(path, own_uid); !checked) return checked.error();
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{
        ErrorCode::not_permitted,
        "settings file " + path + " cannot be read by this user; name another with --config"};
  }
  std::string text(limits::settings_file_size_max.value + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > limits::settings_file_size_max.value) {
    return Error{ErrorCode::limit_exceeded, "settings file " + path + " is larger than 1 MiB"};
  }
  auto values = parse_toml_settings(text, path);
  if (!values) return values;
  for (const auto& [key, value] : *values) {
    if (find_setting(key) != nullptr) continue;
    if (key == "token") {
      return Error{ErrorCode::invalid_input,
                   value.where +
                       ": token does not belong in this file; put it in a file of its own and "
                       "name that with token_file"};
    }
    if (const auto name = renamed_setting(key); !name.empty()) {
      return Error{ErrorCode::invalid_input,
                   value.where + ": " + key + " is called " + std::string(name) +
                       " now and holds for assigned checks as well as for dispatched scripts; "
                       "rename it"};
    }
    const std::string_view nearest = nearest_setting(key);
    return Error{ErrorCode::invalid_input,
                 value.where + ": there is no setting '" + printable(key) + "'" +
                     (nearest.empty() ? "" : "; did you mean '" + std::string(nearest) + "'?")};
  }
  return values;
}

Values resolve(const ConfigSources& sources, const std::map<std::string, FileValue>& file) {
  Values values;
  for (const Setting& setting : setting_table()) {
    const std::string key(setting.key);
    EffectiveSetting chosen{key, std::string(setting.fallback), "default"};
    if (const auto found = file.find(key); found != file.end()) {
      chosen.value = found->second.text;
      chosen.source = found->second.where;
    }
    const auto own = sources.environment.find("STATE_DIRECTORY");
    if (key == "state.directory" && chosen.source == "default" &&
        own != sources.environment.end() && !own->second.empty()) {
      // A service may have several, with colons between them; the first is ours.
      chosen.value = own->second.substr(0, own->second.find(':'));
      chosen.source = "environment STATE_DIRECTORY";
    }
    const auto runtime = sources.environment.find("RUNTIME_DIRECTORY");
    if (key == "status.socket" && chosen.source == "default" &&
        runtime != sources.environment.end() && !runtime->second.empty()) {
      chosen.value = runtime->second.substr(0, runtime->second.find(':')) + "/status.sock";
      chosen.source = "environment RUNTIME_DIRECTORY";
    }
    const auto variable = sources.environment.find(std::string(setting.environment));
    // A variable that is set to nothing is how container templates leave one out.
    if (variable != sources.environment.end() && !variable->second.empty()) {
      chosen.value = variable->second;
      chosen.source = "environment " + variable->first;
    }
    if (const auto option = sources.options.find(key); option != sources.options.end()) {
      chosen.value = option->second;
      chosen.source = "option " + std::string(setting.option);
    }
    take_proxy_variables(sources, chosen);
    values.emplace(key, std::move(chosen));
  }
  return values;
}

Result<LogLevel> level(const EffectiveSetting& value) {
  if (value.value == "debug") return LogLevel::debug;
  if (value.value == "info") return LogLevel::info;
  if (value.value == "warn") return LogLevel::warn;
  if (value.value == "error") return LogLevel::error;
  return invalid(value, "'" + printable(value.value) + "' is not one of debug, info, warn, error");
}

Result<LogFormat> format(const EffectiveSetting& value) {
  if (value.value == "text") return LogFormat::text;
  if (value.value == "json") return LogFormat::json;
  if (value.value == "logfmt") return LogFormat::logfmt;
  return invalid(value, "'" + printable(value.value) + "' is not one of text, json, logfmt");
}

Result<void> take_identity(const Values& values, Config& config) {
  const auto uid = number(values.at("sandbox.uid"));
  if (!uid) return uid.error();
  config.sandbox_uid = *uid;
  config.sandbox_gid = *uid;
  if (!values.at("sandbox.gid").value.empty()) {
    const auto gid = number(values.at("sandbox.gid"));
    if (!gid) return gid.error();
    config.sandbox_gid = *gid;
  }
  auto engines = sandbox::parse_engines(values.at("sandbox.engines").value);
  if (!engines) return invalid(values.at("sandbox.engines"), engines.error().message);
  config.sandbox_engines = *std::move(engines);
  const auto prepared_runs = number(values.at("sandbox.prepared_runs"));
  if (!prepared_runs) return prepared_runs.error();
  config.prepared_runs = *prepared_runs;
  const auto prepared_modules = number(values.at("sandbox.prepared_modules"));
  if (!prepared_modules) return prepared_modules.error();
  config.prepared_modules = *prepared_modules;
  const auto prepared_memory = number(values.at("sandbox.prepared_memory"));
  if (!prepared_memory) return prepared_memory.error();
  config.prepared_memory = ByteCount{std::uint64_t{*prepared_memory} << 20U};
  config.module_runtime = values.at("sandbox.module_runtime").value;
  const bool is_word = config.module_runtime == "auto" || config.module_runtime == "none";
  if (!is_word && !config.module_runtime.starts_with('/')) {
    return invalid(values.at("sandbox.module_runtime"),
                   "must be auto, none or the absolute path of bun or node");
  }
  return {};
}

/// A mistake here does not end the program, as with the existing satellite: runs have no macvlan
/// then, and `doctor` and every report say why.
void take_macvlan(const Values& values, Config& config) {
  const auto text_of_variable = [&values](const char* name) -> const char* {
    for (const Setting& setting : setting_table()) {
      if (setting.environment == name) return values.at(std::string(setting.key)).value.c_str();
    }
    return nullptr;
  };
  auto settings = sandbox::macvlan_settings(text_of_variable);
  if (settings) {
    config.macvlan.settings = *std::move(settings);
  } else {
    config.macvlan.problem = settings.error().message + "; the uplink is not configured";
  }
}

Result<void> take_dispatch(const Values& values, Config& config) {
  const auto concurrency = number(values.at("dispatch.concurrency"));
  if (!concurrency) return concurrency.error();
  const auto queue_length = number(values.at("dispatch.queue_length"));
  if (!queue_length) return queue_length.error();
  config.concurrency = *concurrency;
  config.queue_length = *queue_length;
  return {};
}

Result<void> take_kinds(const Values& values, Config& config) {
  const auto timeout_max = number(values.at("operator.timeout_max"));
  if (!timeout_max) return timeout_max.error();
  config.script_timeout_max = std::chrono::seconds(*timeout_max);
  for (const auto& [key, target] :
       {std::pair{"operator.health_checks", &config.allow_health_checks},
        {"operator.automation", &config.allow_automation},
        {"operator.allow_root_scripts", &config.operators_word.allow_root_scripts},
        {"operator.require_memory_limit", &config.operators_word.require_memory_limit}}) {
    const auto value = toggle(values.at(key));
    if (!value) return value.error();
    *target = *value;
  }
  return {};
}

Result<void> take_checks(const Values& values, Config& config) {
  const auto concurrency = number(values.at("checks.concurrency"));
  if (!concurrency) return concurrency.error();
  const auto deadline = number(values.at("checks.deadline"));
  if (!deadline) return deadline.error();
  const auto first_run_within = number(values.at("checks.first_run_within"));
  if (!first_run_within) return first_run_within.error();
  config.check_concurrency = *concurrency;
  config.check_deadline = std::chrono::seconds(*deadline);
  config.check_first_run_within = std::chrono::seconds(*first_run_within);
  const auto shebang = toggle(values.at("checks.honour_shebang"));
  if (!shebang) return shebang.error();
  config.honour_shebang = *shebang;
  return {};
}

Result<void> take_state(const Values& values, Config& config) {
  config.state_directory = values.at("state.directory").value;
  if (config.state_directory.empty() || config.state_directory.front() != '/') {
    return invalid(values.at("state.directory"), "must be an absolute path");
  }
  const auto ephemeral = toggle(values.at("state.ephemeral"));
  if (!ephemeral) return ephemeral.error();
  config.ephemeral = *ephemeral;
  const EffectiveSetting& delivery = values.at("delivery");
  if (delivery.value != "at-least-once" && delivery.value != "at-most-once") {
    return invalid(delivery,
                   "'" + printable(delivery.value) + "' is neither at-least-once nor at-most-once");
  }
  config.delivery =
      delivery.value == "at-most-once" ? Delivery::at_most_once : Delivery::at_least_once;
  return {};
}

Result<void> take_outbox(const Values& values, Config& config) {
  const auto size_max = number(values.at("outbox.size_max"));
  if (!size_max) return size_max.error();
  const auto count_max = number(values.at("outbox.count_max"));
  if (!count_max) return count_max.error();
  const auto age_max = number(values.at("outbox.age_max"));
  if (!age_max) return age_max.error();
  const auto free_space_min = number(values.at("outbox.free_space_min"));
  if (!free_space_min) return free_space_min.error();
  const auto replay_rate = number(values.at("outbox.replay_rate"));
  if (!replay_rate) return replay_rate.error();
  config.outbox_size_max = ByteCount{std::uint64_t{*size_max} << 20U};
  config.outbox_count_max = *count_max;
  config.outbox_age_max = std::chrono::seconds(*age_max);
  config.outbox_free_space_min = ByteCount{std::uint64_t{*free_space_min} << 20U};
  config.replay_rate = *replay_rate;
  return {};
}

/// Files first: they are what the operator named; the variable is what the old satellite had.
Result<TokenSource> find_token(const Values& values, const ConfigSources& sources) {
  TokenSource source;
  const EffectiveSetting& file = values.at("token_file");
  if (!file.value.empty()) {
    source.file = file.value;
    source.setting = "token_file (from " + file.source + ")";
    return source;
  }
  source.environment = sources.token;
  const auto variable = sources.environment.find(token_variable);
  if (variable != sources.environment.end()) source.text = Secret(variable->second);
  if (source.found()) return source;
  const auto credentials = sources.environment.find("CREDENTIALS_DIRECTORY");
  if (credentials != sources.environment.end() && !credentials->second.empty()) {
    const std::string path = credentials->second + "/token";
    if (::access(path.c_str(), F_OK) == 0) {
      source.file = path;
      source.setting = "$CREDENTIALS_DIRECTORY";
      return source;
    }
  }
  return Error{ErrorCode::not_found,
               "token: none found; set token_file (or --token-file), or "
               "CHECKSTACK_SATELLITE_TOKEN, or provide $CREDENTIALS_DIRECTORY/token"};
}

/// Environment files of containers keep quotes and carriage returns as part of a value.
Result<void> check_id(const EffectiveSetting& id) {
  const std::string& text = id.value;
  if (text.size() > limits::id_size_max.value) {
    return invalid(id, "longer than 256 bytes; it is the id the core shows");
  }
  const auto is_quote = [](char c) { return c == '"' || c == '\''; };
  if (is_quote(text.front()) || is_quote(text.back())) {
    return invalid(id, "it has quotes around it; write it without them");
  }
  for (const char c : text) {
    if (c == '\r' || c == '\n') {
      return invalid(id,
                     "it contains a line break; the file it comes from may have Windows line "
                     "ends");
    }
    if (c == ' ' || c == '\t') return invalid(id, "it contains white space; write it without");
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return invalid(id, "it contains a control character");
    }
  }
  return {};
}

Result<void> require(const EffectiveSetting& value) {
  if (!value.value.empty()) return {};
  const Setting& setting = *find_setting(value.key);
  return Error{ErrorCode::not_found, value.key + ": not set; use option " +
                                         std::string(setting.option) + ", environment " +
                                         std::string(setting.environment) + " or '" + value.key +
                                         " = …' in the settings file"};
}

/// Errors and log lines show paths as they are, so that none may hold what would make another line.
Result<void> check_paths(const Values& values) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; };
  for (const Setting& setting : setting_table()) {
    if (setting.kind != SettingKind::path) continue;
    const EffectiveSetting& path = values.at(std::string(setting.key));
    const bool is_plain = std::none_of(path.value.begin(), path.value.end(), is_control);
    if (!is_plain) {
      return invalid(path, "'" + printable(path.value) + "' holds a control character");
    }
  }
  return {};
}

/// Where to connect, and as whom; a command that connects to nobody needs neither.
Result<void> take_core(const Values& values, SettingsUse use, Config& config) {
  for (const char* key : {"core", "id"}) {
    if (use == SettingsUse::local) continue;
    const auto there = require(values.at(key));
    if (!there) return there.error();
  }
  config.core_url = values.at("core").value;
  config.client_id = values.at("id").value;
  config.token_file = values.at("token_file").value;
  const EffectiveSetting& resolver = values.at("connection.resolver");
  if (resolver.value != "builtin" && resolver.value != "getent") {
    return invalid(resolver, "'" + printable(resolver.value) + "' is neither builtin nor getent");
  }
  config.resolver = resolver.value == "getent" ? Resolver::getent : Resolver::builtin;
  return config.client_id.empty() ? Result<void>{} : check_id(values.at("id"));
}

Result<void> take_status(const Values& values, Config& config) {
  const EffectiveSetting& socket = values.at("status.socket");
  const bool is_path = !socket.value.empty() && socket.value.front() == '/';
  if (!socket.value.empty() && socket.value != "none" && !is_path) {
    return invalid(socket, "must be an absolute path, or none");
  }
  config.status_socket = socket.value;
  const EffectiveSetting& http = values.at("status.http");
  config.status_http = http.value;
  if (http.value.empty() || http.value.front() == '/') return {};
  const auto checked = check_loopback(http.value);
  return checked ? Result<void>{} : invalid(http, checked.error().message);
}

Result<void> take_stop_and_log(const Values& values, const ConfigSources& sources, Config& config) {
  const auto log_level = level(values.at("log.level"));
  if (!log_level) return log_level.error();
  config.log_level = *log_level;
  const auto log_format = format(values.at("log.format"));
  if (!log_format) return log_format.error();
  config.log_format = *log_format;
  const auto loop_watch = toggle(values.at("log.loop_watch"));
  if (!loop_watch) return loop_watch.error();
  const auto drain = number(values.at("stop.drain"));
  if (!drain) return drain.error();
  config.drain_max = std::chrono::seconds(*drain);
  config.loop_watch = *loop_watch;
  // The old satellite's switch: DEBUG set to anything means debug lines.
  const auto debug = sources.environment.find("DEBUG");
  if (debug != sources.environment.end() && !debug->second.empty() &&
      values.at("log.level").source == "default") {
    config.log_level = LogLevel::debug;
  }
  return {};
}

/// A command that connects to nobody may be run by a user who cannot read the service's token.
Result<void> take_token(const Values& values, const ConfigSources& sources, SettingsUse use,
                        LoadedConfig& loaded) {
  if (use == SettingsUse::local) return {};
  auto source = find_token(values, sources);
  if (!source && use == SettingsUse::running) return {};
  if (!source) return source.error();
  // Who does not need it yet does not have it in memory either.
  if (use == SettingsUse::connects) {
    auto token = read_token(*source);
    if (!token) return token.error();
    loaded.config.token = std::move(token->value);
  }
  loaded.token_source = *std::move(source);
  return {};
}

}  // namespace

Result<LoadedConfig> load_config(const ConfigSources& sources, SettingsUse use) {
  std::map<std::string, FileValue> file;
  if (sources.file) {
    auto read = read_settings_file(*sources.file, sources.own_uid);
    if (!read) return read.error();
    file = *std::move(read);
  }
  const Values values = resolve(sources, file);

  if (const auto paths = check_paths(values); !paths) return paths.error();
  LoadedConfig loaded;
  Config& config = loaded.config;
  const auto core = take_core(values, use, config);
  if (!core) return core.error();
  const auto tls = take_tls(values, sources, config);
  if (!tls) return tls.error();
  config.scratch_directory = values.at("sandbox.scratch_directory").value;
  if (config.scratch_directory.empty() || config.scratch_directory.front() != '/') {
    return invalid(values.at("sandbox.scratch_directory"), "must be an absolute path");
  }
  const auto identity = take_identity(values, config);
  if (!identity) return identity.error();
  take_macvlan(values, config);
  const auto dispatch = take_dispatch(values, config);
  if (!dispatch) return dispatch.error();
  const auto connection = take_connection(values, config);
  if (!connection) return connection.error();
  take_proxy(values, sources, config);
  const auto state = take_state(values, config);
  if (!state) return state.error();
  const auto offline = take_offline(values, config);
  if (!offline) return offline.error();
  const auto outbox = take_outbox(values, config);
  if (!outbox) return outbox.error();
  const auto checks = take_checks(values, config);
  if (!checks) return checks.error();
  const auto host_view = take_host_view(values, sources, config);
  if (!host_view) return host_view.error();
  const auto uid_range = take_uid_range(values, sources.own_uid, config);
  if (!uid_range) return uid_range.error();
  const auto kinds = take_kinds(values, config);
  if (!kinds) return kinds.error();
  const auto word = take_operators_word(values, sources.own_uid, config);
  if (!word) return word.error();
  const auto status = take_status(values, config);
  if (!status) return status.error();
  const auto log = take_stop_and_log(values, sources, config);
  if (!log) return log.error();
  const auto token = take_token(values, sources, use, loaded);
  if (!token) return token.error();
  for (const Setting& setting : setting_table()) {
    loaded.settings.push_back(values.at(std::string(setting.key)));
  }
  loaded.warnings = unknown_variables(sources.environment);
  loaded.settings.push_back(EffectiveSetting{
      "token", loaded.token_source.found() ? "(set)" : "(none)", loaded.token_source.words()});
  return loaded;
}

std::map<std::string, std::string> take_environment() {
  // All who need the token have taken it by now.
  EnvironmentToken::take();
  std::map<std::string, std::string> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const std::size_t separator = text.find('=');
    if (separator == std::string::npos) continue;
    environment.emplace(text.substr(0, separator), text.substr(separator + 1));
  }
  return environment;
}

}  // namespace satellite::agent
