#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>

namespace satellite {

/// A time that somebody else wrote -> one of the system clock.
///
/// Shape:  nothing beyond 1740 and 2200: the clock counts nanoseconds in 64 bits, which end in
///         2262, while certificates without an end say 9999 (RFC 5280 4.1.2.5).
/// Units:  seconds since 1970.
inline std::chrono::system_clock::time_point clock_moment(std::time_t seconds) {
  constexpr std::time_t year_2200 = 7'258'118'400;
  return std::chrono::system_clock::from_time_t(std::clamp(seconds, -year_2200, year_2200));
}

}  // namespace satellite
