#include "agent/connection/reconnect_policy.hpp"

#include <algorithm>
#include <cstdint>

namespace satellite::agent {
namespace {

using std::chrono::milliseconds;

constexpr unsigned doublings_max = 20;  // past this every sensible maximum is reached
constexpr milliseconds wait_min{100};   // even the luckiest draw must not become a tight loop

milliseconds scaled(milliseconds window, double random) {
  const double clamped = std::clamp(random, 0.0, 1.0);
  return milliseconds(
      static_cast<milliseconds::rep>(static_cast<double>(window.count()) * clamped));
}

}  // namespace

milliseconds ReconnectPolicy::next_wait(const EndedConnection& ended, double random) {
  // The core is there and nothing went wrong; how often this happens is the operator's word.
  if (ended.end == ConnectionEnd::refreshed) {
    attempt_ = 0;
    window_ = milliseconds(0);
    return window_;
  }
  // A core that accepts and drops at once must not be hammered, so only time resets the backoff.
  const bool was_stable = ended.authenticated_for >= settings_.stable_after;
  if (was_stable) attempt_ = 0;
  const unsigned doublings = std::min(attempt_, doublings_max);
  ++attempt_;

  if (ended.end != ConnectionEnd::lost) {
    window_ = settings_.unauthorised_retry + settings_.unauthorised_retry / 5;
    return settings_.unauthorised_retry + scaled(settings_.unauthorised_retry / 5, random);
  }
  const milliseconds doubled = settings_.backoff_first * (std::int64_t{1} << doublings);
  const milliseconds backoff = std::min(settings_.backoff_max, doubled);
  const milliseconds base = ended.retry_after ? milliseconds(*ended.retry_after) : milliseconds(0);
  window_ = base + backoff;
  return std::max(base + scaled(backoff, random), std::min(wait_min, settings_.backoff_first));
}

}  // namespace satellite::agent
