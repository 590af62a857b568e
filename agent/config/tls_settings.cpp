#include "agent/config/tls_settings.hpp"

#include "agent/config/setting_value.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace satellite::agent {
namespace {

using TlsValues = std::map<std::string, EffectiveSetting>;

constexpr std::size_t pins_max = 16;

Result<void> take_pins(const EffectiveSetting& setting, Config& config) {
  std::string_view rest = setting.value;
  while (!rest.empty()) {
    std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    const auto pin = tls::parse_pin(one);
    if (!pin) return invalid(setting, "'" + printable(one) + "': " + pin.error().message);
    if (config.pins.size() == pins_max) return invalid(setting, "more than 16 pins");
    config.pins.push_back(*pin);
  }
  return {};
}

/// Where the service manager hands over both, and no setting names others.
void take_credentials(const ConfigSources& sources, ClientFiles& files) {
  const auto credentials = sources.environment.find("CREDENTIALS_DIRECTORY");
  if (credentials == sources.environment.end() || credentials->second.empty()) return;
  const std::string certificate = credentials->second + "/client-certificate";
  const std::string key = credentials->second + "/client-key";
  if (::access(certificate.c_str(), F_OK) != 0 && ::access(key.c_str(), F_OK) != 0) return;
  files = {certificate, key, "$CREDENTIALS_DIRECTORY", "$CREDENTIALS_DIRECTORY"};
}

Result<void> take_client_files(const TlsValues& values, const ConfigSources& sources,
                               Config& config) {
  const EffectiveSetting& certificate = values.at("tls.certificate_file");
  const EffectiveSetting& key = values.at("tls.key_file");
  for (const auto& [set, missing] : {std::pair{&certificate, &key}, {&key, &certificate}}) {
    if (set->value.empty() || !missing->value.empty()) continue;
    return invalid(*set, "needs " + missing->key + " beside it, which is not set");
  }
  if (certificate.value.empty()) {
    take_credentials(sources, config.client_files);
    return {};
  }
  config.client_files = {certificate.value, key.value,
                         "tls.certificate_file (from " + certificate.source + ")",
                         "tls.key_file (from " + key.source + ")"};
  return {};
}

}  // namespace

Result<void> take_tls(const TlsValues& values, const ConfigSources& sources, Config& config) {
  config.ca_file = values.at("tls.ca_file").value;
  config.ca_directory = values.at("tls.ca_directory").value;
  const EffectiveSetting& store = values.at("tls.system_store");
  if (store.value != "replaced" && store.value != "added") {
    return invalid(store, "'" + printable(store.value) + "' is neither replaced nor added");
  }
  config.system_store =
      store.value == "added" ? tls::SystemStore::added : tls::SystemStore::replaced;
  const auto pins = take_pins(values.at("tls.pins"), config);
  if (!pins) return pins.error();
  return take_client_files(values, sources, config);
}

}  // namespace satellite::agent
