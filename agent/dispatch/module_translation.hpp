#pragma once

#include "agent/dispatch/run_translation.hpp"
#include "protocol/dispatch_messages.hpp"
#include "protocol/vocabulary/result.hpp"
#include "sandbox/report/outcome.hpp"

#include <optional>
#include <string>

namespace satellite::agent {

/// What a dispatched module finds as `context`: for a health check what the message says, for an
/// automation with its variables under `var`, as its scripts know them. Pure.
///
/// Errors: invalid_input when it is not JSON.
/// Source: core-contract 7.
Result<std::string> module_context_from(protocol::ScriptKind kind, const std::string& context_json);

/// What the last message of a module run says beside that of a shell's: result, error, stack, and
/// for automations the artifact. Pure.
/// Source: dispatch-extension; core-contract 7.
void describe_module(const sandbox::RunResult& result,
                     const std::optional<CollectedOutput>& artifact,
                     protocol::ScriptFinished& message);

}  // namespace satellite::agent
