#pragma once

#include <sys/types.h>
#include <chrono>
#include <cstdint>
#include <optional>

namespace satellite::sandbox {

/// Looks from time to time at how much memory a run takes, where nothing limits it.
///
/// Shape:  times are arguments. What counts are the pages of each process below the run's first one
///         that are its own (anonymous ones): programs and libraries in memory belong to many. What
///         grows and ends between two looks is not seen, so that a limit is never claimed.
/// Source: proc(5), /proc/PID/statm and /proc/PID/task/TID/children.
class MemoryWatch {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// 0 = nothing is watched.
  explicit MemoryWatch(std::uint64_t bytes_max = 0) : bytes_max_(bytes_max) {}

  /// The script was let go.
  void begin(TimePoint now);
  /// When to call take_exceeded() again.
  std::optional<TimePoint> next_look() const { return next_look_; }
  /// True once, when the processes below `root` take more than the bound.
  bool take_exceeded(TimePoint now, pid_t root);
  /// The bound, where it was exceeded; else 0.
  std::uint64_t exceeded() const { return exceeded_ ? bytes_max_ : 0; }

 private:
  std::uint64_t bytes_max_;
  std::optional<TimePoint> next_look_;
  bool exceeded_ = false;
};

/// The memory of its own that each process from `root` downwards has, added up, in bytes.
std::uint64_t own_memory_below(pid_t root);

}  // namespace satellite::sandbox
