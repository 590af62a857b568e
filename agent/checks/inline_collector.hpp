#pragma once

#include "agent/checks/check_result.hpp"
#include "agent/checks/collector_run.hpp"
#include "agent/checks/config/check_definition.hpp"
#include "agent/checks/config/collector_config.hpp"
#include "agent/checks/script_check.hpp"

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <vector>

namespace satellite::agent {

/// What an inline collector was given.
struct InlineCollectorInput {
  InlineScriptConfig config;
  const CollectorEntry& entry;        ///< its configuration as text; outlives the run
  const CheckDefinition& definition;  ///< outlives the run
  CollectorSecrets secrets;
  const std::vector<Secret>& configured_values;  ///< secrets inside the configuration; outlive it
  CheckControl& control;
  StateKey state;  ///< whose what it keeps is
};

/// `healthcheck-script.inline-script`: waits for a slot, runs the module, reports what it returned.
/// Nothing when the run was stopped because nobody wants its result.
boost::asio::awaitable<std::optional<CollectorOutcome>> run_inline_collector(
    CheckServices services, InlineCollectorInput input);

}  // namespace satellite::agent
