#pragma once

#include "agent/config/config.hpp"
#include "agent/outbound/outbox.hpp"
#include "agent/packages/script_packages.hpp"
#include "agent/runtime/log.hpp"
#include "agent/status/run_statistics.hpp"
#include "agent/storage/check_states.hpp"
#include "sandbox/policy/policy_provider.hpp"
#include "sandbox/running/runner.hpp"

#include <boost/asio/io_context.hpp>

namespace satellite::agent {

/// What every script needs from the agent, whether the core dispatched it or a timer started it.
///
/// Shape:  references into the composition root (agent.cpp), which outlives all that hold them.
struct RunServices {
  boost::asio::io_context& context;
  Log& log;
  const Config& config;
  sandbox::Runner& runner;
  const sandbox::PolicyProvider& policies;
  Outbox& outbox;
  ScriptPackages& packages;
  Store& store;
  RunStatistics& statistics;
  CheckStates& states;
};

}  // namespace satellite::agent
