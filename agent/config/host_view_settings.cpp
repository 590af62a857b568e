#include "agent/config/host_view_settings.hpp"

#include <sys/stat.h>
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

namespace satellite::agent {
namespace {

using SettingValues = std::map<std::string, EffectiveSetting>;

Error wrong_grant(const EffectiveSetting& setting, const Error& error) {
  return Error{error.code, setting.key + " (from " + setting.source + "): " + error.message};
}

Result<void> take_paths(const SettingValues& values, sandbox::HostView& view) {
  for (const auto& [key, target] : {std::pair{"host_view.paths", &view.paths},
                                    {"host_view.programs", &view.programs},
                                    {"host_view.sockets", &view.sockets}}) {
    const EffectiveSetting& setting = values.at(key);
    auto paths = target == &view.sockets ? sandbox::parse_shown_sockets(setting.value)
                                         : sandbox::parse_shown_paths(setting.value);
    if (!paths) return wrong_grant(setting, paths.error());
    *target = *std::move(paths);
    sandbox::HostView alone;
    alone.paths = *target;
    const auto beside = sandbox::check_own_paths(alone, view.own);
    if (!beside) return wrong_grant(setting, beside.error());
  }
  return {};
}

/// Sockets below a directory, on its own file system alone: others may not answer.
std::vector<std::string> sockets_below(const std::string& path) {
  constexpr std::size_t entries_max = 10'000, sockets_max = 8;
  constexpr int depth_max = 6;
  namespace fs = std::filesystem;
  std::vector<std::string> found;
  struct stat top {};
  if (::lstat(path.c_str(), &top) != 0) return found;
  std::error_code problem;
  fs::recursive_directory_iterator at(path, fs::directory_options::skip_permission_denied, problem);
  for (std::size_t i = 0; !problem && at != fs::end(at) && i < entries_max; ++i) {
    struct stat facts {};
    const bool is_known = ::lstat(at->path().c_str(), &facts) == 0;
    if (is_known && S_ISSOCK(facts.st_mode)) found.push_back(at->path().string());
    if (found.size() == sockets_max) break;
    const bool is_elsewhere = !is_known || facts.st_dev != top.st_dev;
    if (is_elsewhere || at.depth() >= depth_max) at.disable_recursion_pending();
    at.increment(problem);
  }
  return found;
}

std::string services_text() {
  constexpr std::size_t size_max = 4U << 20U;
  std::ifstream file("/etc/services", std::ios::binary);
  std::string text;
  // Room for the largest that is read would cost two milliseconds of each start.
  std::array<char, 16'384> piece{};
  while (file && text.size() < size_max) {
    file.read(piece.data(), std::ssize(piece));
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
  }
  return text;
}

std::vector<std::string> own_paths(const SettingValues& values, const ConfigSources& sources,
                                   const Config& config) {
  std::vector<std::string> own{config.state_directory, config.scratch_directory,
                               "/etc/checkstack-satellite"};
  if (sources.file && sources.file->starts_with('/')) own.push_back(*sources.file);
  const auto& token = values.at("token_file").value;
  if (token.starts_with('/')) own.push_back(token);
  // Where a service manager put the token.
  const auto credentials = sources.environment.find("CREDENTIALS_DIRECTORY");
  if (credentials != sources.environment.end() && credentials->second.starts_with('/')) {
    own.push_back(credentials->second);
  }
  // Grants are judged by where they lead, so these are, too.
  for (std::size_t i = own.size(); i-- > 0;) {
    std::error_code problem;
    const auto real = std::filesystem::weakly_canonical(own[i], problem);
    if (!problem && real != own[i]) own.push_back(real.string());
  }
  for (auto& path : own) {
    while (path.size() > 1 && path.back() == '/') path.pop_back();
  }
  return own;
}

}  // namespace

Result<void> take_host_view(const SettingValues& values, const ConfigSources& sources,
                            Config& config) {
  sandbox::HostView view;
  view.own = own_paths(values, sources, config);
  if (const auto taken = take_paths(values, view); !taken) return taken.error();
  for (const auto& [key, target] : {std::pair{"host_view.disks", &view.disks},
                                    {"host_view.processes", &view.processes},
                                    {"host_view.system", &view.system},
                                    {"host_view.sessions", &view.sessions}}) {
    const EffectiveSetting& setting = values.at(key);
    if (setting.value != "true" && setting.value != "false") {
      return wrong_grant(setting, {ErrorCode::invalid_input, "is neither true nor false"});
    }
    *target = setting.value == "true";
  }
  const EffectiveSetting& loopback = values.at("host_view.loopback");
  auto ports = sandbox::parse_loopback_ports(
      loopback.value, loopback.value.empty() ? std::string() : services_text());
  if (!ports) return wrong_grant(loopback, ports.error());
  view.loopback = *std::move(ports);
  const EffectiveSetting& state = values.at("host_view.state");
  const auto state_bytes = sandbox::parse_state_size(state.value);
  if (!state_bytes) return wrong_grant(state, state_bytes.error());
  view.state_bytes = *state_bytes;
  const EffectiveSetting& kinds = values.at("host_view.kinds");
  if (const auto read = sandbox::parse_kinds(kinds.value, view); !read) {
    return wrong_grant(kinds, read.error());
  }
  config.host_view = std::move(view);
  return {};
}

std::vector<std::pair<std::string, std::string>> granted_settings(const sandbox::HostView& view) {
  std::vector<std::pair<std::string, std::string>> granted;
  const auto add = [&granted](const char* name, std::string value) {
    if (!value.empty()) granted.emplace_back(std::string("host_view.") + name, std::move(value));
  };
  const auto listed = [](const std::vector<std::string>& all) {
    std::string text;
    for (const auto& one : all) text += (text.empty() ? "" : ", ") + one;
    return text;
  };
  std::vector<std::string> ports;
  for (const auto port : view.loopback) ports.push_back(std::to_string(port));
  add("paths", listed(view.paths));
  add("programs", listed(view.programs));
  add("sockets", listed(view.sockets));
  add("loopback", listed(ports));
  add("disks", view.disks ? "true" : "");
  add("processes", view.processes ? "true" : "");
  add("system", view.system ? "true" : "");
  add("sessions", view.sessions ? "true" : "");
  add("state", view.state_bytes > 0 ? sandbox::state_size_text(view.state_bytes) : "");
  if (granted.empty()) return granted;
  add("kinds",
      listed(view.for_health_checks && view.for_automation
                 ? std::vector<std::string>{"health-check", "automation"}
                 : std::vector<std::string>{view.for_automation ? "automation" : "health-check"}));
  return granted;
}

std::vector<std::string> host_view_warnings(const Config& config) {
  std::vector<std::string> warnings;
  for (const auto& path : config.host_view.sockets) {
    const auto warning = sandbox::warning_of_socket(path);
    if (!warning.empty()) {
      warnings.push_back("host_view.sockets: " + path + ": " + std::string(warning));
    }
  }
  for (const auto* list : {&config.host_view.paths, &config.host_view.programs}) {
    for (const auto& path : *list) {
      for (const auto& socket : sockets_below(path)) {
        warnings.push_back("host_view: " + socket + " below " + path +
                           " is a socket that scripts can connect to");
      }
    }
  }
  for (const auto port : config.host_view.loopback) {
    const auto warning = sandbox::warning_of_port(port);
    if (!warning.empty()) {
      warnings.push_back("host_view.loopback: " + std::to_string(port) + ": " +
                         std::string(warning));
    }
  }
  if (config.host_view.processes) {
    warnings.emplace_back(
        "host_view.processes: scripts see the command line of every process of this host, those of "
        "other checks among them, and through /proc/1 its mounts and connections");
  }
  return warnings;
}

}  // namespace satellite::agent
