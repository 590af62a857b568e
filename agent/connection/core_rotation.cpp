#include "agent/connection/core_rotation.hpp"

#include <algorithm>

namespace satellite::agent {
namespace {

using std::chrono::milliseconds;

// Between two cores of one round; drawn, since all satellites of a core leave it together.
constexpr milliseconds next_core_within{1'000}, next_core_min{100};

}  // namespace

milliseconds CoreRotation::next_wait(const EndedConnection& ended, double random, Time now) {
  if (not_before_.size() == 1) return policy_.next_wait(ended, random);
  return of_several(ended, random, now);
}

milliseconds CoreRotation::of_several(const EndedConnection& ended, double random, Time now) {
  const bool was_stable = ended.authenticated_for >= settings_.stable_after;
  if (ended.end == ConnectionEnd::refreshed || (was_stable && ended.end == ConnectionEnd::lost)) {
    tried_ = 0;
    return policy_.next_wait(ended, random);
  }
  const bool is_to_be_left = ended.end != ConnectionEnd::lost || ended.retry_after;
  if (is_to_be_left) {
    // A question of its own: what one core asks for does not slow the others.
    ReconnectPolicy alone(settings_);
    not_before_[current_] = now + alone.next_wait(ended, random);
  }
  ++tried_;
  const bool is_round_over = tried_ >= not_before_.size();
  if (!advance(now)) {
    tried_ = 0;
    const auto earliest = std::min_element(not_before_.begin(), not_before_.end());
    current_ = static_cast<std::size_t>(earliest - not_before_.begin());
    return std::chrono::ceil<milliseconds>(**earliest - now);
  }
  if (is_round_over) {
    tried_ = 0;
    return policy_.next_wait({ConnectionEnd::lost, ended.authenticated_for, {}}, random);
  }
  const auto drawn = static_cast<double>(next_core_within.count()) * std::clamp(random, 0.0, 1.0);
  return std::max(next_core_min, milliseconds(static_cast<milliseconds::rep>(drawn)));
}

/// To the next core that may be asked; false if none may.
bool CoreRotation::advance(Time now) {
  for (std::size_t step = 1; step <= not_before_.size(); ++step) {
    const std::size_t next = (current_ + step) % not_before_.size();
    if (not_before_[next] && *not_before_[next] > now) continue;
    not_before_[next].reset();
    current_ = next;
    return true;
  }
  return false;
}

void CoreRotation::credentials_changed() {
  std::fill(not_before_.begin(), not_before_.end(), std::nullopt);
}

}  // namespace satellite::agent
