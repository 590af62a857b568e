#pragma once

#include "agent/config/config.hpp"
#include "agent/config/token_watch.hpp"
#include "agent/operation/reload.hpp"
#include "agent/runtime/log.hpp"
#include "agent/runtime/notify_socket.hpp"
#include "agent/storage/store.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/probing/probe.hpp"
#include "tls/authority_file.hpp"

#include <chrono>
#include <memory>
#include <string>

namespace satellite::agent {

/// How the agent came to its end.
enum class AgentEnd { stopped, launcher_lost };

/// What serve() is given: everything that had to exist before the first thread and the first
/// socket.
struct AgentDependencies {
  const Config& config;
  Log& log;
  std::unique_ptr<sandbox::Launcher> launcher;
  std::chrono::steady_clock::time_point process_started;
  TokenWatch& token;
  tls::AuthorityFile& authorities;
  ClientIdentity& identity;
  Reload& reload;
  NotifySocket& service;
  Store::Settings store;
  std::string state_directory;  ///< locked by this process; empty = nothing outlives it
};

/// The composition root: builds the parts, joins their loops, decides nothing. Returns after
/// SIGTERM or SIGINT, once every run has ended, by itself within `stop.drain` or because it was
/// ended, and was reported as far as the core would take it; or when the launcher is gone, because
/// without it no run is possible and nobody would notice. SIGHUP reads settings, token,
/// authorities and client certificate again.
AgentEnd serve(AgentDependencies dependencies);

}  // namespace satellite::agent
