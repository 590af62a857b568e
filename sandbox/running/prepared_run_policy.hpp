#pragma once

#include "sandbox/policy/policy_provider.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace satellite::sandbox {

/// Decides which prepared runs to keep: how many, for which sandbox policy, for how long. Pure:
/// time is an argument.
///
/// Shape:  one sandbox policy at a time, that of the latest run. As many as were taken at once
///         since the last pause, at most `count_max`; one fewer when one grew old unused. None when
///         nothing ran for a long time, and none for a while after making one failed.
class PreparedRunPolicy {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Number = std::uint64_t;

  explicit PreparedRunPolicy(std::size_t count_max)
      : count_max_(count_max), allowed_(count_max), fitting_(count_max) {}

  /// A run of this policy begins. Returns the number of the oldest prepared run for it, if any.
  std::optional<Number> take(const ResolvedPolicy& policy, Time now);

  /// Runs are going on that would be slowed down by making others; until they are over, one is made
  /// only when no other run began for a while.
  void busy() { is_busy_ = true; }
  void idle(Time now);

  void making(Number number, Time now);  ///< its set-up began
  void ready(Number number);             ///< its set-up is done
  /// It ended before it was taken.
  void lost(Number number, Time now);
  /// It is of no use any more, which is nobody's fault.
  void drop(Number number) { kept_.erase(number); }
  /// Making one failed: wait for a while.
  void defer(Time now);
  /// Making one failed because running ones hold what it needs: wait for a moment.
  void defer_briefly(Time now);
  /// At most this many under the present policy, because of what runs share.
  void allow(std::size_t count) { allowed_ = count; }
  /// There is memory for this many besides those that are kept.
  void room_for(std::size_t more) { fitting_ = kept_.size() + std::min(more, count_max_); }

  /// The runs to give up, each named once.
  std::vector<Number> outdated(Time now);
  /// Whether to make one now. One at a time, so that a run that is asked for meanwhile waits for
  /// one of them at most.
  bool lacks_one(Time now) const;
  /// When to ask again if nothing happens until then; nothing = not before something does.
  std::optional<Time> next_look(Time now) const;

  const ResolvedPolicy& policy() const { return policy_; }
  std::size_t count_ready() const;

 private:
  struct Kept {
    Time made_at;
    bool is_ready = false;
  };
  bool is_wanted(Time now) const;
  bool could_be_more() const;
  Time pause_over_at() const;
  std::size_t wanted() const;

  std::size_t count_max_, allowed_, fitting_;
  ResolvedPolicy policy_;
  std::map<Number, Kept> kept_;
  std::vector<Number> of_another_policy_;
  std::optional<Time> last_run_, not_before_;
  Time idle_since_{};
  bool is_busy_ = false;
  std::size_t at_once_ = 1, since_pause_ = 0;
};

}  // namespace satellite::sandbox
