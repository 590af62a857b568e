#include "agent/commands/commands.hpp"
#include "agent/commands/input.hpp"
#include "agent/commands/preconditions.hpp"
#include "agent/config/host_view_settings.hpp"
#include "agent/connection/proxy_choice.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>

namespace satellite::agent {

ConfigSources config_sources(const Invocation& invocation) {
  ConfigSources sources;
  sources.options = invocation.options;
  sources.token = EnvironmentToken::take();
  sources.environment = take_environment();
  sources.own_uid = ::geteuid();
  sources.file = invocation.settings_file;
  if (!sources.file) {
    const auto variable = sources.environment.find("CHECKSTACK_SATELLITE_CONFIG");
    if (variable != sources.environment.end() && !variable->second.empty()) {
      sources.file = variable->second;
    } else if (::access(default_config_file, F_OK) == 0) {
      sources.file = default_config_file;
    }
  }
  return sources;
}

void print_error(const std::string& message) {
  std::cerr << "checkstack-satellite: " << message << '\n';
}

int no_launcher(const Error& error) {
  print_error("cannot start the launcher: " + error.message);
  return error.code == ErrorCode::limit_exceeded ? exit_wrong_usage : exit_failed;
}

namespace {

/// `, through the proxy http://proxy:3128 (environment HTTPS_PROXY)`.
std::string way_to(const ProxySettings& settings, const CoreAddress& core) {
  const auto choice = choose_proxy(settings, core);
  if (!choice) return {};
  const std::string way =
      choice->proxy ? ", through the proxy " + choice->proxy->url : ", directly";
  return way + " (" + choice->why + ")";
}

}  // namespace

int check_config_command(const Invocation& invocation) {
  const auto settings = core_settings(invocation, SettingsUse::connects);
  if (!settings) {
    print_error(settings.error().message);
    return exit_wrong_usage;
  }
  const LoadedConfig& loaded = settings->loaded;
  const Config& config = loaded.config;
  for (const auto check : {check_scratch_directory, check_authorities, check_proxy}) {
    const auto checked = check(config);
    if (checked) continue;
    print_error(checked.error().message);
    return exit_wrong_usage;
  }
  const auto trust = trust_named_by(config);
  if (!trust) {
    print_error(trust.error().message);
    return exit_wrong_usage;
  }
  std::size_t width = 0;
  for (const auto& setting : loaded.settings) width = std::max(width, setting.key.size());
  for (const auto& setting : loaded.settings) {
    std::cout << setting.key << std::string(width + 2 - setting.key.size(), ' ')
              << (setting.value.empty() ? "(none)" : setting.value) << "   # " << setting.source
              << '\n';
  }
  for (const auto& warning : host_view_warnings(config)) {
    std::cout << "warning: " << warning << '\n';
  }
  if (config.pins.size() == 1) {
    std::cout << "warning: tls.pins has one pin: once the core has another key, this satellite is "
                 "cut off; name the next one beside it\n";
  }
  if (trust->client) {
    const auto facts = tls::describe(*trust->client);
    if (facts) {
      std::cout << "shows the certificate "
                << printable(tls::in_words(*facts, std::chrono::system_clock::now())) << '\n';
    }
  }
  for (const std::string& entry : passed_over_in(config.proxy)) {
    std::cout << "warning: " << config.proxy.bypass_source << " has '" << printable(entry)
              << "', which is no name, address or block and means nothing here\n";
  }
  for (const CoreAddress& core : settings->cores) {
    std::cout << (&core == &settings->cores.front() ? "connects to " : "or to ") << core.url()
              << way_to(config.proxy, core) << '\n';
  }
  return exit_done;
}

}  // namespace satellite::agent
