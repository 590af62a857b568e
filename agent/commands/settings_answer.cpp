#include "agent/commands/settings_answer.hpp"

#include "agent/config/host_view_settings.hpp"
#include "agent/connection/proxy_choice.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

namespace satellite::agent {
namespace {

using nlohmann::ordered_json;

std::string text_of(const ordered_json& answer) {
  return answer.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
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

/// `, through the proxy http://proxy:3128 (environment HTTPS_PROXY)`.
std::string way_to(const ProxySettings& settings, const CoreAddress& core) {
  const auto choice = choose_proxy(settings, core);
  if (!choice) return {};
  const std::string way =
      choice->proxy ? ", through the proxy " + choice->proxy->url : ", directly";
  return way + " (" + choice->why + ")";
}

}  // namespace

std::string settings_json(const CoreSettings& settings, const tls::Settings& trust) {
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
  return text_of(answer);
}

void print_settings(std::ostream& out, const CoreSettings& settings, const tls::Settings& trust) {
  const LoadedConfig& loaded = settings.loaded;
  std::size_t width = 0;
  for (const auto& setting : loaded.settings) width = std::max(width, setting.key.size());
  for (const auto& setting : loaded.settings) {
    out << setting.key << std::string(width + 2 - setting.key.size(), ' ')
        << (setting.value.empty() ? "(none)" : setting.value) << "   # " << setting.source << '\n';
  }
  for (const std::string& warning : warnings_of(settings)) {
    out << "warning: " << warning << '\n';
  }
  const std::string certificate = shown_certificate(trust);
  if (!certificate.empty()) out << "shows the certificate " << certificate << '\n';
  for (const CoreAddress& core : settings.cores) {
    out << (&core == &settings.cores.front() ? "connects to " : "or to ") << core.url()
        << way_to(loaded.config.proxy, core) << '\n';
  }
}

std::string wrong_settings_json(const Error& error) {
  return text_of(ordered_json{{"valid", false}, {"problem", error.message}});
}

}  // namespace satellite::agent
