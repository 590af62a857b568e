#pragma once

#include "agent/runtime/log.hpp"
#include "sandbox/report/outcome.hpp"

#include <string_view>

namespace satellite::agent {

/// Tells how a run ended: one line for the run, one more at `warn` when it got less than its policy
/// asks for, and the notes at `debug`, since most of them are the same for every run of a host.
void log_run_end(Log& log, std::string_view run_id, const sandbox::RunResult& result);

}  // namespace satellite::agent
