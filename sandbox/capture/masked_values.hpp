#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/report/run_request.hpp"

#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// The values that no output of the run may show, each once.
/// Errors: limit_exceeded when they pass masked_size_max or masked_count_max: the run must not
/// start.
Result<std::vector<std::string_view>> masked_values(const RunRequest& request);

}  // namespace satellite::sandbox
