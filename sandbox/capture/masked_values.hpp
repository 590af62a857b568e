#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"
#include "sandbox/report/run_request.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// How much one run may have to mask. The longest variable has 128 KiB, and its value may be made
/// of a secret that is masked by itself: both fit. All forms of so much are some 70,000 pieces to
/// look for, about 20 MB while the run goes on.
inline constexpr ByteCount masked_size_max{256U << 10U};
/// So many short ones have as many forms as that.
inline constexpr std::size_t masked_count_max = 4'096;

/// The values that no output of the run may show, each once.
/// Errors: limit_exceeded when they pass a bound above: the run must not start.
Result<std::vector<std::string_view>> masked_values(const RunRequest& request);

}  // namespace satellite::sandbox
