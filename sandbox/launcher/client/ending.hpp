#pragma once

#include "protocol/vocabulary/error.hpp"
#include "sandbox/capture/output_budget.hpp"
#include "sandbox/capture/run_observer.hpp"
#include "sandbox/launcher/wire/records.hpp"
#include "sandbox/report/outcome.hpp"
#include "sandbox/state/state_file.hpp"

#include <exception>
#include <optional>
#include <string_view>

namespace satellite::sandbox {

/// Why we ended a run ourselves. `answered` is a module that had said its result and went on.
enum class StopReason { none, timed_out, cancelled, output_limit, answered };

/// The report before anything was measured: no layer may claim to be enforced yet. Pure.
EffectiveSandbox not_measured(EffectiveSandbox promise);

/// What happened, written into the result; describe_output comes before describe_end. Pure.
void describe_refusal(RunResult& result, EffectiveSandbox promise);
void describe_failure(RunResult& result, const Error& error);
void describe_output(RunResult& result, const OutputBudget& budget);
void describe_end(RunResult& result, const LauncherRecord& record, StopReason reason);

/// What became of the state of its check, where the run had one. After describe_end.
void describe_state(RunResult& result, const LauncherRecord& record,
                    const std::optional<KeptState>& state);

/// Adds the name of the program that a run could not be started with, if that is why it ended.
void describe_missing_command(RunResult& result, const LauncherRecord& record,
                              std::string_view command);

/// Calls observer.started; what it throws comes back, because the run must still be collected.
std::exception_ptr report_started(RunObserver& observer, const RunResult& result);

}  // namespace satellite::sandbox
