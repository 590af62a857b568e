#include "agent/checks/collector_outcome.hpp"

#include "sandbox/capture/output_text.hpp"
#include "sandbox/policy/policy_provider.hpp"

#include <utility>

namespace satellite::agent {
namespace {

using sandbox::Outcome;

constexpr const char* timeout_text = "Script execution timed out";
// What the existing satellite reports where it ended the script itself.
constexpr int exit_after_term = 143;
constexpr int exit_after_kill = 137;

int exit_code_of(const sandbox::RunResult& result) {
  switch (result.outcome) {
    case Outcome::exited:
    case Outcome::signaled:
      return result.exit_code;
    case Outcome::output_limit:
      return exit_after_term;
    case Outcome::memory_limit:
      return exit_after_kill;
    case Outcome::timed_out:
    case Outcome::refused:
    case Outcome::setup_failed:
    case Outcome::cancelled:
    case Outcome::interrupted:
      break;
  }
  return -1;
}

}  // namespace

bool EndOfScript::was_stopped() const {
  return result_.outcome == Outcome::cancelled || result_.outcome == Outcome::interrupted;
}

std::string EndOfScript::text_of(const std::string& bytes) const {
  return sandbox::output_text(
      bytes, is_truncated() ? sandbox::OutputEnd::cut : sandbox::OutputEnd::complete);
}

std::optional<std::string> EndOfScript::reason() const {
  switch (result_.outcome) {
    case Outcome::timed_out:
      // A module's runtime that did not even start says so.
      return result_.is_module ? result_.error.value_or(timeout_text) : timeout_text;
    case Outcome::memory_limit:
      return "Script exceeded the memory limit of its sandbox policy";
    case Outcome::refused:
    case Outcome::setup_failed:
      return result_.error.value_or("the sandbox could not be set up");
    case Outcome::cancelled:
    case Outcome::interrupted:
      return "The check did not finish within its deadline and was stopped";
    case Outcome::exited:
    case Outcome::signaled:
    case Outcome::output_limit:
      break;
  }
  return std::nullopt;
}

CollectorOutcome EndOfScript::with_circumstances(std::optional<std::string> error) const {
  CollectorOutcome collector;
  collector.error = std::move(error);
  // What ran without its network and its limits has not been checked, whatever it says.
  if (circumstances_.failed_closed && !collector.error)
    collector.error = sandbox::fail_closed_reason;
  collector.output_truncated = is_truncated();
  collector.sandbox = result_.sandbox;
  collector.dropped_environment = result_.dropped_environment;
  return collector;
}

std::optional<CollectorOutcome> shell_collector_outcome(const sandbox::RunResult& result,
                                                        const CollectedStreams& streams,
                                                        const RunCircumstances& circumstances) {
  const EndOfScript script(result, streams, circumstances);
  if (script.is_unwanted()) return std::nullopt;
  auto reason = script.reason();
  ExecuteOutcome end;
  end.success = result.outcome == Outcome::exited && result.exit_code == 0;
  end.timed_out = script.was_stopped() || result.outcome == Outcome::timed_out;
  end.exit_code = exit_code_of(result);
  end.standard_output = script.standard_output();
  end.standard_error = script.standard_error();
  // The last line of standard error is where people look for the reason.
  if (reason) end.standard_error += (end.standard_error.empty() ? "" : "\n") + *reason;
  return script.reported(std::move(end), std::move(reason));
}

}  // namespace satellite::agent
