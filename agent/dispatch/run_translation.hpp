#pragma once

#include "protocol/dispatch_messages.hpp"
#include "protocol/vocabulary/result.hpp"
#include "sandbox/report/outcome.hpp"
#include "sandbox/report/run_request.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace satellite::agent {

/// A dispatched script -> what the sandbox runs. Pure.
///
/// Shape:  for a shell an automation's context becomes variables; the message's own variables
///         outrank them, its secrets outrank both. A module gets the context as it is. The timeout
///         is the core's; hold_timeout brings in the operator's.
/// Errors: invalid_input, limit_exceeded (context).
Result<sandbox::RunRequest> run_request_from(protocol::RunScript message);

/// What an automation hands on besides its streams: the beginning of both outputs.
struct CollectedOutput {
  std::string standard_output, standard_error;
};

/// How a run ended -> its last message. Pure; run id and seq are the stream's to fill in.
/// Source: dispatch-extension; the artifact: core-contract 7.
protocol::ScriptFinished finished_message_from(const sandbox::RunResult& result,
                                               const std::optional<CollectedOutput>& artifact);

/// The report as the JSON text every message carries.
std::string report_json(const sandbox::EffectiveSandbox& report);

}  // namespace satellite::agent
