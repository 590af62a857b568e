#pragma once

#include <chrono>
#include <cstdint>

namespace satellite::agent {

/// The wall clock as it was at the start, counted on by a clock that nobody can set: ages of what
/// is kept must not change because the host's clock does.
///
/// Shape:  a value; those that are made at the start of the process agree.
/// Units:  seconds since 1970.
class ProcessTime {
 public:
  ProcessTime() : ProcessTime(std::chrono::system_clock::now(), std::chrono::steady_clock::now()) {}
  ProcessTime(std::chrono::system_clock::time_point wall,
              std::chrono::steady_clock::time_point steady)
      : wall_(std::chrono::floor<std::chrono::seconds>(wall).time_since_epoch().count()),
        steady_(steady) {}

  std::int64_t now() const { return at(std::chrono::steady_clock::now()); }
  std::int64_t at(std::chrono::steady_clock::time_point moment) const {
    return wall_ + std::chrono::floor<std::chrono::seconds>(moment - steady_).count();
  }

 private:
  std::int64_t wall_;
  std::chrono::steady_clock::time_point steady_;
};

}  // namespace satellite::agent
