#pragma once

#include "agent/connection/reconnect_policy.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

namespace satellite::agent {

/// Which core is tried next, and when. Pure: time goes in with the event, randomness with the
/// question.
///
/// Shape:  a core that works is kept; one that is lost after a stable connection is tried again
///         first. From one that cannot be reached, or does not hold, it goes on to the next within
///         a second, and only when all were tried in vain the wait grows (reconnect_policy). A core
///         that refuses this satellite, or asks for patience, is left alone for as long as it would
///         be if it were the only one.
/// Units:  cores by their place in the list.
class CoreRotation {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit CoreRotation(std::size_t count, ReconnectPolicy::Settings settings = {},
                        std::size_t first = 0)
      : settings_(settings), policy_(settings), current_(first), not_before_(count) {}

  std::size_t current() const { return current_; }
  /// After the connection to the current core, or the attempt, ended: the wait before the next
  /// attempt, which current() then names.
  std::chrono::milliseconds next_wait(const EndedConnection& ended, double random, Time now);
  /// Id or token are other ones: who refused the old ones is asked at once.
  void credentials_changed();

  unsigned attempt() const { return policy_.attempt(); }

 private:
  std::chrono::milliseconds of_several(const EndedConnection& ended, double random, Time now);
  bool advance(Time now);

  ReconnectPolicy::Settings settings_;
  ReconnectPolicy policy_;
  std::size_t current_ = 0;
  std::size_t tried_ = 0;  ///< of this round, in vain
  std::vector<std::optional<Time>> not_before_;
};

}  // namespace satellite::agent
