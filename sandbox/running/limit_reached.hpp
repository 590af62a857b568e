#pragma once

#include "sandbox/planning/plan.hpp"
#include "sandbox/report/outcome.hpp"

#include <optional>
#include <string>

namespace satellite::sandbox {

/// The limit that ended a run, with its value, as a sentence for people; nothing when none did.
///
/// Shape:  pure. The kernel ends what used up its CPU time by SIGXCPU, or by SIGKILL where soft and
///         hard limit are the same. A script may also be killed by others, so the latter is told as
///         likely, with the time that was used, and only when that is near the limit.
std::optional<std::string> limit_reached(const RunResult& result, const Plan& plan);

}  // namespace satellite::sandbox
