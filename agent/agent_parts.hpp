#pragma once

#include "agent/config/client_identity.hpp"
#include "agent/config/config.hpp"
#include "agent/connection/core_rotation.hpp"
#include "agent/connection/core_url.hpp"
#include "agent/intake/offline_cache.hpp"
#include "agent/operation/status_service.hpp"
#include "agent/outbound/kept_messages.hpp"
#include "agent/packages/script_packages.hpp"
#include "agent/storage/check_states.hpp"
#include "tls/authority_file.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace satellite::agent {

/// What the parts of the agent are given, from settings and state directory (empty = none). Pure.
KeptMessages::Settings outbox_settings(const Config& config);
PackagesPlace packages_place(const Config& config, const std::string& state_directory);
StatusService::Settings status_settings(const Config& config, const std::string& state_directory);
OfflineCache::Place cache_place(const std::string& state_directory,
                                const std::vector<CoreAddress>& cores);
CheckStates::Place states_place(const Store::Settings& store, const std::string& state_directory);
/// What a connection trusts and shows now.
tls::Settings trust_of(const Config& config, const tls::AuthorityFile& authorities,
                       const ClientIdentity& identity);
CoreRotation rotation_of(const Config& config, std::size_t cores);
/// Why the next attempt is not made soon; empty = for no reason of its own.
const char* reason_to_wait(ConnectionEnd end, bool watches_files);

}  // namespace satellite::agent
