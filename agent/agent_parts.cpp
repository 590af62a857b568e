#include "agent/agent_parts.hpp"

namespace satellite::agent {

KeptMessages::Settings outbox_settings(const Config& config) {
  KeptMessages::Settings settings;
  settings.bounds.count_max = config.outbox_count_max;
  settings.bounds.size_max = config.outbox_size_max;
  settings.bounds.age_max = config.outbox_age_max;
  settings.bounds.replay_rate = config.replay_rate;
  settings.guarantee = config.delivery == Delivery::at_most_once
                           ? DeliveryQueue::Guarantee::at_most_once
                           : DeliveryQueue::Guarantee::at_least_once;
  return settings;
}

PackagesPlace packages_place(const Config& config, const std::string& state_directory) {
  PackagesPlace place;
  place.state_directory = state_directory;
  place.scratch_parent = config.scratch_directory;
  return place;
}

StatusService::Settings status_settings(const Config& config, const std::string& state_directory) {
  StatusService::Settings settings{config.status_socket, config.status_http};
  if (settings.socket == "none") {
    settings.socket.clear();
  } else if (settings.socket.empty() && !state_directory.empty()) {
    settings.socket = state_directory + "/status.sock";
  }
  return settings;
}

OfflineCache::Place cache_place(const std::string& state_directory,
                                const std::vector<CoreAddress>& cores) {
  OfflineCache::Place place;
  if (!state_directory.empty()) {
    place.file = state_directory + "/offline.cache";
  }
  for (const CoreAddress& core : cores) place.core_urls.push_back(core.url());
  return place;
}

CheckStates::Place states_place(const Store::Settings& store, const std::string& state_directory) {
  if (state_directory.empty()) return {{}, store.why};
  return {state_directory + "/check-state", {}};
}

tls::Settings trust_of(const Config& config, const tls::AuthorityFile& authorities,
                       const ClientIdentity& identity) {
  tls::Settings trust = authorities.settings();
  trust.ca_directory = config.ca_directory;
  trust.system_store = config.system_store;
  trust.pins = config.pins;
  trust.client = identity.certificate();
  return trust;
}

CoreRotation rotation_of(const Config& config, std::size_t cores) {
  ReconnectPolicy::Settings settings;
  settings.backoff_max = config.backoff_max;
  settings.spread = config.reconnect_spread;
  return CoreRotation(cores, settings);
}

const char* reason_to_wait(ConnectionEnd end, bool watches_files) {
  switch (end) {
    case ConnectionEnd::unauthorised:
      return watches_files ? "the core refused id or token; check both: a changed token file is "
                             "used within a second, a changed id after a restart"
                           : "the core refused id or token; check both, then restart or wait";
    case ConnectionEnd::proxy_refused:
      return "the proxy refused user and password, and may lock them after a few more attempts; a "
             "changed proxy.credentials_file is used within a second";
    case ConnectionEnd::shut_down:
      return "the core told this satellite to stop";
    case ConnectionEnd::displaced:
      return "the core closes each connection of this id by a code of its own";
    case ConnectionEnd::lost:
    case ConnectionEnd::refreshed:
      break;
  }
  return "";
}

}  // namespace satellite::agent
