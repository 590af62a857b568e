#pragma once

#include "protocol/vocabulary/limits.hpp"

#include <chrono>
#include <optional>

namespace satellite::agent {

/// How a connection, or the attempt at one, came to its end.
enum class ConnectionEnd {
  lost,          ///< not reached, or broken: the usual case
  unauthorised,  ///< the core refused the credentials
  refreshed,     ///< closed by us, because the core sends every edit only after authentication
  shut_down,     ///< the core told this satellite to stop (deleted, disabled, replaced)
};

/// What the reconnect policy has to know about that end.
struct EndedConnection {
  ConnectionEnd end = ConnectionEnd::lost;
  /// From `authenticated` to the end; zero when it never got there.
  std::chrono::milliseconds authenticated_for{0};
  /// What an HTTP answer asked for (429, 503).
  std::optional<std::chrono::seconds> retry_after;
};

/// When to try again. Pure: time goes in with the event, randomness with the question.
///
/// Shape:  full jitter: the n-th wait is uniform in [0, min(max, first * 2^n)], so that a thousand
///         satellites do not come back in step; a `retry_after` is waited out and jitter added.
///         Refused credentials wait 300 s and up to a fifth more, whatever happened before.
/// Units:  `random` is uniform in [0, 1).
/// Source: agent/README.md "Decisions"; core-contract 1.6 for the reference satellite; RFC 9110
///         10.2.3 for Retry-After.
class ReconnectPolicy {
 public:
  struct Settings {
    std::chrono::milliseconds backoff_first = limits::backoff_first;
    std::chrono::milliseconds backoff_max = limits::backoff_max;
    std::chrono::milliseconds stable_after = limits::stable_after;
    std::chrono::milliseconds unauthorised_retry = limits::unauthorised_retry;
  };

  ReconnectPolicy() = default;
  explicit ReconnectPolicy(Settings settings) : settings_(settings) {}

  /// The wait before the next attempt.
  std::chrono::milliseconds next_wait(const EndedConnection& ended, double random);

  /// Ends in a row without a stable connection between them; 0 after a stable one.
  unsigned attempt() const { return attempt_; }
  /// The upper bound of the last wait, for the log: `retry in 7s (window 0-16s)`.
  std::chrono::milliseconds window() const { return window_; }

 private:
  Settings settings_;
  unsigned attempt_ = 0;
  std::chrono::milliseconds window_{0};
};

}  // namespace satellite::agent
