#include "agent/config/proxy_settings.hpp"

#include <unistd.h>

#include <array>

namespace satellite::agent {

void take_proxy_variables(const ConfigSources& sources, EffectiveSetting& chosen) {
  struct Variables {
    const char* key;
    std::array<const char*, 2> names;
  };
  constexpr std::array known{Variables{"proxy.url", {"HTTPS_PROXY", "https_proxy"}},
                             Variables{"proxy.bypass", {"NO_PROXY", "no_proxy"}}};
  if (chosen.source != "default") return;
  for (const Variables& variables : known) {
    if (chosen.key != variables.key) continue;
    for (const char* const name : variables.names) {
      const auto found = sources.environment.find(name);
      if (found == sources.environment.end() || found->second.empty()) continue;
      chosen.value = found->second;
      chosen.source = std::string("environment ") + name;
      return;
    }
  }
}

void take_proxy(const std::map<std::string, EffectiveSetting>& values, const ConfigSources& sources,
                Config& config) {
  ProxySettings& proxy = config.proxy;
  proxy.url = values.at("proxy.url").value;
  proxy.url_source = values.at("proxy.url").source;
  proxy.bypass = values.at("proxy.bypass").value;
  proxy.bypass_source = values.at("proxy.bypass").source;
  proxy.ca_file = values.at("proxy.ca_file").value;
  const EffectiveSetting& file = values.at("proxy.credentials_file");
  proxy.credentials_file = file.value;
  proxy.credentials_source = "proxy.credentials_file (from " + file.source + ")";
  if (!file.value.empty()) return;
  const auto credentials = sources.environment.find("CREDENTIALS_DIRECTORY");
  if (credentials == sources.environment.end() || credentials->second.empty()) return;
  const std::string path = credentials->second + "/proxy-credentials";
  if (::access(path.c_str(), F_OK) != 0) return;
  proxy.credentials_file = path;
  proxy.credentials_source = "$CREDENTIALS_DIRECTORY";
}

}  // namespace satellite::agent
