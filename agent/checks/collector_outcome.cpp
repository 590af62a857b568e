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

/// The last line of standard error is where people look for the reason.
void say_in_standard_error(ExecuteOutcome& end, const std::string& text) {
  if (!end.standard_error.empty()) end.standard_error += '\n';
  end.standard_error += text;
}

void fail(CollectorOutcome& collector, ExecuteOutcome& end, std::string text) {
  say_in_standard_error(end, text);
  end.exit_code = -1;
  collector.error = std::move(text);
}

/// False for a run that was stopped and is not reported.
bool describe(const sandbox::RunResult& result, const RunCircumstances& circumstances,
              CollectorOutcome& collector, ExecuteOutcome& end) {
  switch (result.outcome) {
    case Outcome::exited:
    case Outcome::signaled:
      end.exit_code = result.exit_code;
      return true;
    case Outcome::timed_out:
      end.timed_out = true;
      fail(collector, end, timeout_text);
      return true;
    case Outcome::output_limit:
      end.exit_code = exit_after_term;
      return true;
    case Outcome::memory_limit:
      fail(collector, end, "Script exceeded the memory limit of its sandbox policy");
      end.exit_code = exit_after_kill;
      return true;
    case Outcome::refused:
    case Outcome::setup_failed:
      fail(collector, end, result.error.value_or("the sandbox could not be set up"));
      return true;
    case Outcome::cancelled:
    case Outcome::interrupted:
      if (!circumstances.deadline_passed) return false;
      end.timed_out = true;
      fail(collector, end, "The check did not finish within its deadline and was stopped");
      return true;
  }
  return false;
}

}  // namespace

std::optional<CollectorOutcome> shell_collector_outcome(const sandbox::RunResult& result,
                                                        const CollectedStreams& streams,
                                                        const RunCircumstances& circumstances) {
  CollectorOutcome collector;
  ExecuteOutcome end;
  collector.output_truncated = result.output_truncated || streams.cut;
  const auto bytes_end =
      collector.output_truncated ? sandbox::OutputEnd::cut : sandbox::OutputEnd::complete;
  end.standard_output = sandbox::output_text(streams.standard_output, bytes_end);
  end.standard_error = sandbox::output_text(streams.standard_error, bytes_end);
  end.took = circumstances.took;
  if (!describe(result, circumstances, collector, end)) return std::nullopt;
  end.success = result.outcome == Outcome::exited && result.exit_code == 0;
  report_run(result, circumstances, collector, end.success);
  collector.outcome = std::move(end);
  return collector;
}

void report_run(const sandbox::RunResult& result, const RunCircumstances& circumstances,
                CollectorOutcome& collector, bool& success) {
  if (circumstances.failed_closed && !collector.error) {
    collector.error = sandbox::fail_closed_reason;
    success = false;
  }
  collector.sandbox = result.sandbox;
  collector.dropped_environment = result.dropped_environment;
}

}  // namespace satellite::agent
