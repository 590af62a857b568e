#pragma once

#include "agent/connection/connection_record.hpp"
#include "agent/dispatch/dispatcher.hpp"
#include "agent/intake/relayed_policy.hpp"
#include "agent/outbound/run_services.hpp"
#include "agent/runtime/degraded_states.hpp"
#include "agent/schedule/scheduler.hpp"
#include "agent/status/status.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace satellite::agent {

/// What a status is collected from: references into the composition root.
struct StatusSources {
  const RunServices& services;
  const Dispatcher& dispatcher;
  const Scheduler& scheduler;
  const RelayedPolicy& policy;
  const ConnectionRecord& connection;
  const DegradedStates& degraded;
  const std::string& core;             ///< as one address, without secrets
  const std::string& state_directory;  ///< empty = none
  std::chrono::steady_clock::time_point process_started;
  bool host_is_known = false;
  bool stopping = false;
  std::size_t runs_unkillable = 0;
};

/// One look at everything, without waiting for anything.
Status collect_status(const StatusSources& sources);
/// The three numbers of a sample alone.
StatusSample collect_sample(const StatusSources& sources);

}  // namespace satellite::agent
