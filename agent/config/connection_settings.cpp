#include "agent/config/connection_settings.hpp"

#include "agent/config/setting_value.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <chrono>
#include <utility>

namespace satellite::agent {
namespace {

using Values = std::map<std::string, EffectiveSetting>;

}  // namespace

Result<void> take_connection(const Values& values, Config& config) {
  for (const auto& [key, target] : {std::pair{"connection.refresh", &config.refresh_every},
                                    {"connection.route_probe", &config.registration_probe_every},
                                    {"connection.deadline", &config.connect_deadline},
                                    {"connection.silence_max", &config.silence_max},
                                    {"connection.backoff_max", &config.backoff_max},
                                    {"connection.reconnect_spread", &config.reconnect_spread}}) {
    const auto seconds = number(values.at(key));
    if (!seconds) return seconds.error();
    *target = std::chrono::seconds(*seconds);
  }
  const EffectiveSetting& order = values.at("connection.core_order");
  if (order.value != "ordered" && order.value != "shuffled") {
    return invalid(order, "'" + printable(order.value) + "' is neither ordered nor shuffled");
  }
  config.core_order = order.value == "shuffled" ? CoreOrder::shuffled : CoreOrder::ordered;
  return {};
}

Result<void> take_offline(const Values& values, Config& config) {
  const auto age_max = number(values.at("offline.max_policy_age"));
  if (!age_max) return age_max.error();
  const auto cache = toggle(values.at("offline.cache"));
  if (!cache) return cache.error();
  config.policy_age_max = std::chrono::seconds(*age_max);
  config.offline_cache = *cache;
  if (config.offline_cache && config.ephemeral) {
    return invalid(values.at("offline.cache"),
                   "a cache needs a state directory, and state.ephemeral is set; set one of both");
  }
  return {};
}

}  // namespace satellite::agent
