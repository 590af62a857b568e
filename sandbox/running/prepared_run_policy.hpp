#pragma once

#include "sandbox/policy/policy_provider.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace satellite::sandbox {

/// Which prepared runs to keep: how many, for which policy, for how long. Pure: time is an argument
/// and nothing is done here.
///
/// Shape:  one policy at a time, the one of the latest run. As many as were wanted at once since
/// the
///         last pause, at most `count_max`; one that grows old unused is one too many. None while
///         nothing runs for long, and none for a while after making one failed.
class Stock {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Number = std::uint64_t;

  explicit Stock(std::size_t count_max) : count_max_(count_max), allowed_(count_max) {}

  /// A run of this policy begins: the number of the oldest one that stands ready for it, if any.
  std::optional<Number> take(const ResolvedPolicy& policy, Time now);

  void making(Number number, Time now);
  void ready(Number number);
  /// It came to its end before it was taken.
  void lost(Number number, Time now);
  /// None can be made at this moment; or only because runs that go on hold what it takes.
  void defer(Time now);
  void defer_briefly(Time now);
  /// No more than this many of the policy at hand: they would take too much of what runs share.
  void allow(std::size_t count) { allowed_ = count; }

  /// Those that are to be given up, each named once.
  std::vector<Number> outdated(Time now);
  /// Whether to make one now. One after the other: a run that is asked for meanwhile has to wait
  /// for one of them at most.
  bool lacks_one(Time now) const;
  /// When to ask again without anything having happened; nothing = not before it does.
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
  std::size_t wanted() const;

  std::size_t count_max_, allowed_;
  ResolvedPolicy policy_;
  std::map<Number, Kept> kept_;
  std::vector<Number> of_another_policy_;
  std::optional<Time> last_run_, not_before_;
  std::size_t at_once_ = 1, since_pause_ = 0;
};

}  // namespace satellite::sandbox
