#pragma once

#include "agent/checks/script_slots.hpp"
#include "agent/checks/secret_fetch.hpp"
#include "agent/outbound/run_services.hpp"
#include "protocol/agent_messages.hpp"
#include "protocol/core_messages.hpp"
#include "sandbox/running/runner.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

namespace satellite::agent {

/// What every check needs to run.
struct CheckServices : RunServices {
  SecretFetch& secrets;
  ScriptSlots& slots;
};

/// How a check that runs is ended from outside.
struct CheckControl {
  explicit CheckControl(boost::asio::io_context& context) : cancel(context) {}
  sandbox::CancelSwitch cancel;
  bool deadline_passed = false;  ///< set before `cancel` when that is the reason
};

struct CheckInput {
  std::shared_ptr<const protocol::Assignment> assignment;
  std::optional<std::string> environment_id;
  CheckControl& control;  ///< outlives the run
};

/// What came of a check.
struct CheckOutcome {
  enum class Kind {
    reported,
    stopped,  ///< nobody wants its result any more
    skipped,  ///< it needs secrets and there is no core to give them: nothing was measured
  };
  Kind kind = Kind::stopped;
  std::optional<protocol::CheckResult> result;  ///< with `reported`
  std::string message;                          ///< for the log; never output, never a secret
  bool never_ran = false;  ///< a script of it was refused, or could not be set up
};

/// One check from assignment to result, its collectors side by side.
///
/// Shape:  an unknown strategy or collector, a refusing sandbox, a secret that is not given: all of
///         them make the result unhealthy and say why. The policy of each script is the one in
///         force when it starts.
/// Errors: none of its own; whatever goes wrong is in the result.
/// Source: core-contract 2.3, 3, 4.
boost::asio::awaitable<CheckOutcome> execute_check(CheckServices services, CheckInput input);

}  // namespace satellite::agent
