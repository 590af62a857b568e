#pragma once

#include "agent/checks/collector_outcome.hpp"
#include "agent/checks/script_check.hpp"
#include "agent/storage/check_state_file.hpp"
#include "protocol/vocabulary/secret.hpp"
#include "sandbox/report/run_request.hpp"

#include <boost/asio/awaitable.hpp>
#include <map>
#include <string>
#include <vector>

namespace satellite::agent {

/// The secrets that a collector's script was given.
struct CollectorSecrets {
  std::map<std::string, Secret> values;           ///< variables by name
  std::map<std::string, std::string> references;  ///< the texts that the core made them of
};

/// Hands the secrets over as variables, and names what else is to be masked: secrets inside a
/// value, and those inside the configuration.
void add_secrets(sandbox::RunRequest& request, CollectorSecrets secrets,
                 const std::vector<Secret>& configured_values);

/// How a collector's script ended, and what it wrote.
struct CollectorRun {
  sandbox::RunResult result;
  CollectedStreams streams;
  RunCircumstances circumstances;
};

/// Runs a collector's script: waits for a slot, takes the policy in force, keeps what is written
/// and, where that is granted, the state that it leaves for its next run.
boost::asio::awaitable<CollectorRun> run_collector_script(CheckServices services,
                                                          sandbox::RunRequest request,
                                                          CheckControl& control, StateKey state);

}  // namespace satellite::agent
