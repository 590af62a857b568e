#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace satellite::agent {

/// How long the policy in force has not been the core's word. Pure: time goes in with every call.
///
/// Shape:  zero while the connection lasts on which the core stated it, since it relays every
///         change; from the end of that connection on it ages.
/// Units:  any clock that counts suspends and cannot be set.
class PolicyAge {
 public:
  using Time = std::chrono::nanoseconds;  ///< since the clock's beginning

  explicit PolicyAge(std::chrono::seconds age_max) : age_max_(age_max) {}

  void stated() { is_current_ = true; }
  void connection_lost(Time now) {
    if (is_current_) since_ = now;
    is_current_ = false;
  }
  /// It comes from an earlier process and is that old.
  void restored(Time now, std::chrono::seconds age) { since_ = now - age; }

  bool is_current() const { return is_current_; }
  Time age(Time now) const {
    return is_current_ || !since_ ? Time(0) : std::max(Time(0), now - *since_);
  }
  bool expired(Time now) const { return expires_at() && now >= *expires_at(); }
  /// Nothing while it does not age, and without a limit.
  std::optional<Time> expires_at() const {
    if (is_current_ || !since_ || age_max_.count() == 0) return std::nullopt;
    return *since_ + age_max_;
  }

 private:
  std::chrono::seconds age_max_;
  std::optional<Time> since_;
  bool is_current_ = false;
};

}  // namespace satellite::agent
