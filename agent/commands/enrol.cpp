// Core, id and token in one step. Nothing is written before the way to the core was gone with them,
// so that a host that was enrolled once is not lost by a slip of the pen.
#include "agent/commands/commands.hpp"
#include "agent/commands/core_trial.hpp"
#include "agent/commands/input.hpp"
#include "agent/commands/service_unit.hpp"
#include "agent/commands/typed_token.hpp"
#include "agent/commands/written_file.hpp"
#include "agent/config/setting_table.hpp"
#include "agent/config/settings_text.hpp"
#include "agent/config/toml_file.hpp"
#include "agent/connection/proxy_bypass.hpp"
#include "agent/connection/proxy_choice.hpp"
#include "agent/runtime/private_memory.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <utility>

namespace satellite::agent {
namespace {

constexpr WrittenFile::Mode settings_mode{0644, 07777};
// What its reader would refuse is taken from a token that was there.
constexpr WrittenFile::Mode token_mode{0600, 0640};

struct Places {
  std::string settings, token;
};

/// The token's file is the one that is named, else stands beside the settings, where the unit takes
/// it from.
Places places_of(const Invocation& invocation, const Config& config, const std::string& settings) {
  Places places;
  places.settings = settings;
  const auto named = invocation.options.find("token_file");
  places.token = named != invocation.options.end()
                     ? named->second
                     : (std::filesystem::path(places.settings).parent_path() / "token").string();
  if (named == invocation.options.end() && !config.token_file.empty()) {
    places.token = config.token_file;
  }
  return places;
}

Result<void> make_directory_of(const std::string& path) {
  const auto directory = std::filesystem::path(path).parent_path();
  if (directory.empty() || ::mkdir(directory.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return error_from_errno(directory.string(), errno);
}

using Values = std::map<std::string, std::string>;

/// The service has neither this shell's variables nor its working directory.
void take_variables(const LoadedConfig& loaded, Values& values) {
  for (const EffectiveSetting& setting : loaded.settings) {
    const Setting* const row = find_setting(setting.key);
    if (row == nullptr || row->environment.empty()) continue;
    if (setting.source == "environment " + std::string(row->environment)) {
      values[setting.key] = setting.value;
    }
  }
}

/// HTTPS_PROXY and NO_PROXY, where the way that was tried leads through that proxy.
void take_proxy_of(const ProxySettings& proxy, Values& values) {
  const auto is_variable = [](const std::string& source) {
    return source.starts_with("environment ");
  };
  if (is_variable(proxy.url_source)) values["proxy.url"] = proxy.url;
  if (!is_variable(proxy.bypass_source) || values.contains("proxy.bypass")) return;
  std::string known = known_bypass_entries(proxy.bypass);
  if (!known.empty()) values["proxy.bypass"] = std::move(known);
}

void make_paths_absolute(Values& values) {
  for (auto& [key, value] : values) {
    const Setting* const row = find_setting(key);
    if (row == nullptr || row->kind != SettingKind::path || value.empty()) continue;
    value = std::filesystem::absolute(value).lexically_normal().string();
  }
}

Result<std::string> changed_settings(const Values& values, const std::string& path) {
  std::string text;
  if (::access(path.c_str(), F_OK) == 0) {
    auto read = read_input(path, limits::settings_file_size_max);
    if (!read) return read;
    text = *std::move(read);
  }
  auto changed = with_settings(text, values);
  const auto parsed = parse_toml_settings(changed, path);
  if (!parsed) return Error{parsed.error().code, parsed.error().message + "; correct it first"};
  return changed;
}

struct Enrolment {
  Config config;
  CoreAddress core;
  Places places;
  Values values;  ///< which the settings file is to have
};

/// What the settings will be: of the file as it is, and of the options that are to go into it.
Result<Enrolment> prepared(const Invocation& invocation) {
  ConfigSources sources = config_sources(invocation);
  const std::string settings = sources.file.value_or(default_config_file);
  // One that is to be made is no mistake.
  if (::access(settings.c_str(), F_OK) != 0 && errno == ENOENT) sources.file.reset();
  auto loaded = load_config(sources, SettingsUse::local);
  if (!loaded) return loaded.error();
  Config& config = loaded->config;
  for (const auto& [what, value] :
       {std::pair{"--core URL", &config.core_url}, {"--id ID", &config.client_id}}) {
    if (value->empty()) {
      return Error{ErrorCode::invalid_input, std::string("needs ") + what + ", from the core"};
    }
  }
  auto cores = parse_core_urls(config.core_url);
  if (!cores) return Error{cores.error().code, "core: " + cores.error().message};
  const auto proxy = choose_proxy(config.proxy, cores->front());
  if (!proxy) return proxy.error();
  Places places = places_of(invocation, config, settings);
  if (!invocation.skips_start && has_service_unit()) {
    const auto checked = check_places_of_service(places.settings, places.token);
    if (!checked) return checked.error();
  }
  Values values = invocation.options;
  take_variables(*loaded, values);
  if (proxy->proxy) take_proxy_of(config.proxy, values);
  make_paths_absolute(values);
  return Enrolment{std::move(config), cores->front(), std::move(places), std::move(values)};
}

/// False, with every step told, where the core is not reached or does not know us.
bool is_known_to_core(const Enrolment& enrolment, const Token& token) {
  const CoreTrial trial = try_core(enrolment.config, enrolment.core, token.value.reveal());
  print_trial(std::cout, trial);
  std::cout << '\n' << std::flush;
  return leads_there(trial.steps);
}

Result<WrittenFile> written_token(const Places& places, const Token& token) {
  if (const auto made = make_directory_of(places.token); !made) return made.error();
  return WrittenFile::write(places.token, std::string(token.value.reveal()) + '\n', token_mode);
}

/// Both are written before either counts: a new token beside old settings is nobody's.
Result<void> write_both(const Places& places, const Token& token, const std::string& settings) {
  if (const auto made = make_directory_of(places.settings); !made) return made.error();
  auto token_file = written_token(places, token);
  if (!token_file) return token_file.error();
  auto settings_file = WrittenFile::write(places.settings, settings, settings_mode);
  if (!settings_file) return settings_file.error();
  const auto put = token_file->put();
  return put ? settings_file->put() : put;
}

int wrong_enrolment(const Error& error) {
  print_error(error.message);
  return exit_wrong_usage;
}

int not_written(const Error& error) {
  print_error(error.message + "; run it as the user who owns the satellite's files, mostly root");
  return exit_failed;
}

}  // namespace

int enrol_command(const Invocation& invocation) {
  keep_memory_private();
  const auto enrolment = prepared(invocation);
  if (!enrolment) return wrong_enrolment(enrolment.error());
  const Places& places = enrolment->places;
  const auto settings = changed_settings(enrolment->values, places.settings);
  if (!settings) return wrong_enrolment(settings.error());
  const auto token = read_typed_token();
  if (!token) return wrong_enrolment(token.error());
  if (!invocation.skips_trial && !is_known_to_core(*enrolment, *token)) {
    print_error("nothing was written; --no-trial writes without trying");
    return exit_failed;
  }
  if (const auto put = write_both(places, *token, *settings); !put) {
    return not_written(put.error());
  }
  std::cout << "wrote " << places.settings << " and " << places.token << '\n';
  if (invocation.skips_start) return exit_done;
  return tell_service(ServiceDeed::start, {places.settings, places.token}, std::cout) ? exit_done
                                                                                      : exit_failed;
}

int rotate_token_command(const Invocation& invocation) {
  keep_memory_private();
  const auto enrolment = prepared(invocation);
  if (!enrolment) return wrong_enrolment(enrolment.error());
  const auto token = read_typed_token();
  if (!token) return wrong_enrolment(token.error());
  if (!invocation.skips_trial && !is_known_to_core(*enrolment, *token)) {
    print_error("the token was not changed; --no-trial changes it without trying");
    return exit_failed;
  }
  auto written = written_token(enrolment->places, *token);
  if (!written) return not_written(written.error());
  if (const auto put = written->put(); !put) return not_written(put.error());
  std::cout << "wrote " << enrolment->places.token << '\n';
  if (invocation.skips_start) return exit_done;
  const Places& places = enrolment->places;
  const ServiceFiles files{places.settings, places.token};
  return tell_service(ServiceDeed::restart, files, std::cout) ? exit_done : exit_failed;
}

}  // namespace satellite::agent
