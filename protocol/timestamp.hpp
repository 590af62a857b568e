#pragma once

#include "protocol/vocabulary/result.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace satellite::protocol {

/// Points in time as the wire spells them.
///
/// Shape:  `2026-03-04T05:06:07.089Z`: ISO 8601, UTC, milliseconds (core-contract 1.3).
std::string format_timestamp(std::chrono::system_clock::time_point time);

/// Reads ISO 8601 with seconds, an optional fraction and `Z` or a numeric offset.
///
/// Shape:  times past the clock's range (year 2262) become its end: "never" is a fair deadline.
/// Errors: invalid_input for any other spelling, for dates that do not exist and years before 1970.
Result<std::chrono::system_clock::time_point> parse_timestamp(std::string_view text);

}  // namespace satellite::protocol
