#include "agent/commands/commands.hpp"
#include "agent/commands/input.hpp"
#include "agent/commands/preconditions.hpp"
#include "agent/config/host_view_settings.hpp"
#include "agent/connection/proxy_choice.hpp"
#include "agent/runtime/log_line.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

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
  std::cerr << "checkstack-satellite: " << escaped_for_terminal(message) << '\n';
}

int no_launcher(const Error& error) {
  print_error("cannot start the launcher: " + error.message);
  return error.code == ErrorCode::limit_exceeded ? exit_wrong_usage : exit_failed;
}

namespace {

using nlohmann::ordered_json;

std::string json_text(const ordered_json& answer) {
  return answer.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<std::string> warnings_of(const CoreSettings& settings) {
  const Config& config = settings.loaded.config;
  std::vector<std::string> warnings = settings.loaded.warnings;
  const auto of_host_view = host_view_warnings(config);
  warnings.insert(warnings.end(), of_host_view.begin(), of_host_view.end());
  if (config.pins.size() == 1) {
    warnings.emplace_back(
        "tls.pins has one pin: once the core has another key, this satellite is cut off; name the "
        "next one beside it");
  }
  for (const std::string& entry : passed_over_in(config.proxy)) {
    warnings.push_back(config.proxy.bypass_source + " has '" + printable(entry) +
                       "', which is no name, address or block and means nothing here");
  }
  return warnings;
}

/// The client certificate in words; empty where there is none.
std::string shown_certificate(const tls::Settings& trust) {
  if (!trust.client) return {};
  const auto facts = tls::describe(*trust.client);
  if (!facts) return facts.error().message;
  return printable(tls::in_words(*facts, std::chrono::system_clock::now()), 1'024);
}

ordered_json settings_json(const CoreSettings& settings, const tls::Settings& trust) {
  ordered_json answer{{"valid", true}, {"settings", ordered_json::array()}};
  for (const auto& setting : settings.loaded.settings) {
    answer["settings"].push_back(
        {{"key", setting.key}, {"value", setting.value}, {"source", setting.source}});
  }
  answer["cores"] = ordered_json::array();
  for (const CoreAddress& core : settings.cores) {
    const auto choice = choose_proxy(settings.loaded.config.proxy, core);
    if (!choice) continue;
    const auto proxy = choice->proxy ? ordered_json(choice->proxy->url) : ordered_json();
    answer["cores"].push_back({{"url", core.url()}, {"proxy", proxy}, {"why", choice->why}});
  }
  const std::string certificate = shown_certificate(trust);
  answer["clientCertificate"] = certificate.empty() ? ordered_json() : ordered_json(certificate);
  answer["warnings"] = warnings_of(settings);
  return answer;
}

/// `, through the proxy http://proxy:3128 (environment HTTPS_PROXY)`.
std::string way_to(const ProxySettings& settings, const CoreAddress& core) {
  const auto choice = choose_proxy(settings, core);
  if (!choice) return {};
  const std::string way =
      choice->proxy ? ", through the proxy " + choice->proxy->url : ", directly";
  return way + " (" + choice->why + ")";
}

void print_settings(const CoreSettings& settings, const tls::Settings& trust) {
  const LoadedConfig& loaded = settings.loaded;
  std::size_t width = 0;
  for (const auto& setting : loaded.settings) width = std::max(width, setting.key.size());
  for (const auto& setting : loaded.settings) {
    std::cout << setting.key << std::string(width + 2 - setting.key.size(), ' ')
              << (setting.value.empty() ? "(none)" : setting.value) << "   # " << setting.source
              << '\n';
  }
  for (const std::string& warning : warnings_of(settings)) {
    std::cout << "warning: " << warning << '\n';
  }
  const std::string certificate = shown_certificate(trust);
  if (!certificate.empty()) std::cout << "shows the certificate " << certificate << '\n';
  for (const CoreAddress& core : settings.cores) {
    std::cout << (&core == &settings.cores.front() ? "connects to " : "or to ") << core.url()
              << way_to(loaded.config.proxy, core) << '\n';
  }
}

int wrong_settings(const Invocation& invocation, const Error& error) {
  print_error(error.message);
  if (invocation.json) {
    std::cout << json_text(ordered_json{{"valid", false}, {"problem", error.message}}) << '\n';
  }
  return exit_wrong_usage;
}

}  // namespace

int check_config_command(const Invocation& invocation) {
  const auto settings = core_settings(invocation, SettingsUse::connects);
  if (!settings) return wrong_settings(invocation, settings.error());
  const Config& config = settings->loaded.config;
  for (const auto check : {check_scratch_directory, check_authorities, check_proxy}) {
    if (const auto checked = check(config); !checked) {
      return wrong_settings(invocation, checked.error());
    }
  }
  const auto trust = trust_named_by(config);
  if (!trust) return wrong_settings(invocation, trust.error());
  if (invocation.json) {
    std::cout << json_text(settings_json(*settings, *trust)) << '\n';
  } else {
    print_settings(*settings, *trust);
  }
  return exit_done;
}

}  // namespace satellite::agent
