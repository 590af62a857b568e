#include "agent/connection/heartbeat_policy.hpp"

#include <algorithm>

namespace satellite::agent {

LinkDecision HeartbeatPolicy::decide(const LinkActivity& activity,
                                     std::chrono::steady_clock::time_point now) const {
  const auto silent_at = activity.last_received + settings_.silence_max;
  if (now >= silent_at) return {LinkVerdict::silent, now};
  auto look_again = silent_at;

  if (activity.writing_since) {
    const auto stuck_at = *activity.writing_since + settings_.silence_max;
    if (now >= stuck_at) return {LinkVerdict::not_reading, now};
    look_again = std::min(look_again, stuck_at);
  }
  if (activity.closing_since) {
    const auto cut_at = *activity.closing_since + settings_.close_deadline;
    if (now >= cut_at) return {LinkVerdict::never_closing, now};
    return {LinkVerdict::alive, std::min(look_again, cut_at)};  // no pings after a close frame
  }
  const auto ping_at = activity.last_ping + settings_.ping_interval;
  if (now >= ping_at) {
    return {LinkVerdict::ping, std::min(look_again, now + settings_.ping_interval)};
  }
  return {LinkVerdict::alive, std::min(look_again, ping_at)};
}

}  // namespace satellite::agent
