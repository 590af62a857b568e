#pragma once

#include <time.h>

#include <chrono>

namespace satellite::agent {

/// Time since the host's boot, suspends included: neither a step of the wall clock nor a closed
/// laptop moves what is measured by it.
/// Source: clock_gettime(2), CLOCK_BOOTTIME.
struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;

  static time_point now() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return time_point(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
  }
};

}  // namespace satellite::agent
