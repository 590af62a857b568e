#pragma once

#include "agent/dispatch/run_translation.hpp"
#include "sandbox/report/outcome.hpp"

#include <string>

namespace satellite::agent {

/// `exec --json`: outcome, exitCode, stdout, stderr, outputTruncated, durationMs, sandbox; also
/// signal, error, droppedEnv and what a module answered (result, stack) where there are any. Pure.
std::string exec_answer_json(const sandbox::RunResult& result, const CollectedOutput& output);

/// What `exec` prints after the script's own output, for a person. Pure.
std::string exec_answer_text(const sandbox::RunResult& result);

/// The exit code of `exec`: the script's own, or 0 and 1 for a module's result and error; 128 + N
/// for a signal, else the one that `timeout`,
/// `env` and shells use for the same thing: 124 timed out, 125 the script never ran.
int exec_exit_code(const sandbox::RunResult& result);

}  // namespace satellite::agent
