#pragma once

#include "agent/checks/check_result.hpp"
#include "agent/checks/config/check_definition.hpp"
#include "agent/checks/config/collector_config.hpp"
#include "agent/checks/script_check.hpp"
#include "agent/storage/check_state_file.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

/// What a shell collector was given, apart from its configuration.
struct ShellCollectorInput {
  ExecuteConfig config;
  const CheckDefinition& definition;             ///< outlives the run
  std::map<std::string, Secret> secrets;         ///< variables by name
  const std::vector<Secret>& configured_values;  ///< secrets inside the configuration; outlive it
  CheckControl& control;
  StateKey state;  ///< whose what it keeps is
};

/// `healthcheck-script.execute`: renders, waits for a slot, runs, reports. Nothing when the run was
/// stopped because nobody wants its result.
boost::asio::awaitable<std::optional<CollectorOutcome>> run_shell_collector(
    CheckServices services, ShellCollectorInput input);

}  // namespace satellite::agent
