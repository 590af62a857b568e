#pragma once

#include <chrono>
#include <optional>

namespace satellite::sandbox {

/// When a run that is to die has to be killed again, and when nobody waits for it any longer.
///
/// Shape:  pure; times are arguments. idle -> killing -> unkillable, never back. The pauses between
///         two attempts double up to a minute and never end: a process that hangs in the kernel is
///         killed again for as long as it exists.
class Killing {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// The first attempt is made now. Idempotent.
  void begin(TimePoint now);
  bool has_begun() const { return stage_ != Stage::idle; }
  /// Whether it is time for another attempt, which the caller then makes.
  bool take_overdue(TimePoint now);
  /// True once, when the run had its whole time to die: it is unkillable from then on.
  bool take_give_up(TimePoint now);
  /// The caller found out by itself that it will not die.
  void give_up() { stage_ = Stage::unkillable; }
  bool is_unkillable() const { return stage_ == Stage::unkillable; }
  /// When to call the two take functions again.
  std::optional<TimePoint> next_look() const;

 private:
  enum class Stage {
    idle,       ///< nobody wants it dead
    killing,    ///< killed at least once, and waited for
    unkillable  ///< killed again and again, and not waited for
  };

  Stage stage_ = Stage::idle;
  std::optional<TimePoint> overdue_at_;
  TimePoint give_up_at_{};
  TimePoint::duration pause_{};
};

}  // namespace satellite::sandbox
