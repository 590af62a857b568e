#include "agent/connection/reconnect_policy.hpp"

#include <algorithm>
#include <cstdint>

namespace satellite::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds wait_min{100};  // even the luckiest draw must not become a tight loop

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
    left_ = window_ = milliseconds(0);
    return window_;
  }
  // A core that accepts and drops at once must not be hammered, so only time resets the backoff.
  const bool was_stable = ended.authenticated_for >= settings_.stable_after;
  if (was_stable) attempt_ = 0;
  if (ended.authenticated_for.count() > 0) is_shared_ = true;
  const milliseconds still_left = std::max(milliseconds(0), left_ - ended.authenticated_for);
  left_ = was_stable || ended.retry_after ? milliseconds(0) : still_left;
  const milliseconds window = window_of(attempt_, is_shared_ || ended.retry_after.has_value());
  ++attempt_;

  if (ended.end != ConnectionEnd::lost) {
    left_ = milliseconds(0);
    window_ = settings_.unauthorised_retry + settings_.unauthorised_retry / 5;
    return settings_.unauthorised_retry + scaled(settings_.unauthorised_retry / 5, random);
  }
  const milliseconds drawn = scaled(window, random);
  const milliseconds base = left_ + ended.retry_after.value_or(std::chrono::seconds(0));
  left_ = window - drawn;
  window_ = base + window;
  return std::max(base + drawn, std::min(wait_min, settings_.backoff_first));
}

milliseconds ReconnectPolicy::window_of(unsigned attempt, bool is_shared) const {
  const bool has_spread = is_shared && settings_.spread.count() > 0;
  // What is left of one window and the whole of the next are one wait.
  const milliseconds longest = settings_.backoff_max / 2;
  if (!has_spread) {
    const auto doubled = settings_.backoff_first * (std::int64_t{1} << std::min(attempt, 20U));
    return std::min(longest, doubled);
  }
  milliseconds grown = settings_.spread;
  for (unsigned i = 0; i < attempt && grown < longest; ++i) grown += grown / 2;
  return std::max(settings_.spread, std::min(grown, longest));
}

}  // namespace satellite::agent
