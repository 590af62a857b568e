#pragma once

#include "agent/commands/core_trial.hpp"
#include "agent/commands/running_service.hpp"
#include "agent/config/load_config.hpp"
#include "sandbox/host/readiness.hpp"

#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {
class Launcher;
}

namespace satellite::agent {

/// One capability of the host, and who found it.
struct SeenCapability {
  sandbox::CapabilityFinding finding;
  bool is_seen_by_service = false;  ///< else by this command
  bool is_needed = false;           ///< the shipped policy does not hold without it
};

/// Everything that `doctor` looks at.
struct Examination {
  std::vector<SeenCapability> capabilities;
  sandbox::HostFacts facts;     ///< as this command's own trials found them
  bool is_enforceable = false;  ///< every layer of the shipped policy
  std::string guidance;         ///< what to do where it is not
  Eyes eyes;
  std::vector<CoreTrial> ways;  ///< to each core that is named
  /// A token's file that others can read, which is refused; empty = there is none.
  std::string open_token_file;

  bool is_well() const;
  /// The last step of each way.
  bool knows_token() const;
};

/// The verdict in one line, as the exit code has it. Pure.
std::string verdict_of(const Examination& seen);

/// Looks at the host by trials of the launcher's and asks the satellite that runs here, then goes
/// the way to each core. Holds the token, and makes the process undumpable before.
///
/// Errors: those of load_config and parse_core_urls; what is wrong with the host or the way is the
///         answer.
Result<Examination> examine(boost::asio::io_context& context, sandbox::Launcher& launcher,
                            const ConfigSources& sources, const Config& config);

}  // namespace satellite::agent
