#pragma once

#include "protocol/vocabulary/limits.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace satellite::agent {

/// How a connection, or the attempt at one, came to its end.
enum class ConnectionEnd {
  lost,           ///< not reached, or broken: the usual case
  unauthorised,   ///< the core refused the credentials
  proxy_refused,  ///< the proxy refused the user and password that it was shown
  refreshed,      ///< closed by us, because the core sends every edit only after authentication
  shut_down,      ///< the core told this satellite to stop (deleted, disabled, replaced)
  displaced,      ///< the core ends what it accepted, again and again and by a code of its own
};

/// What the reconnect policy has to know about that end.
struct EndedConnection {
  ConnectionEnd end = ConnectionEnd::lost;
  /// From `authenticated` to the end; zero when it never got there.
  std::chrono::milliseconds authenticated_for{0};
  /// What an HTTP answer asked for (429, 503).
  std::optional<std::chrono::seconds> retry_after;
  /// In the core's close frame, if it sent one (RFC 6455 7.4).
  std::optional<std::uint16_t> close_code = std::nullopt;
};

/// When to try again. Pure: time goes in with the event, randomness with the question.
///
/// Shape:  time after an end is divided into windows, and each has one attempt, at a moment drawn
///         from the whole of it: what is left of a window is waited out before the next one begins.
///         So a thousand satellites neither come back in step nor in a long tail. Windows double
///         from `backoff_first` to half of `backoff_max`, which is therefore the longest wait.
///         After a connection that the core had accepted they grow by half from `spread`, since all
///         its satellites lost it at one moment. A `retry_after` is waited out before. Refused
///         credentials, the core's or a proxy's, and what else the core said no to, wait 300 s and
///         up to a fifth more, whatever happened before.
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
    std::chrono::milliseconds spread{0};  ///< zero = none
  };

  ReconnectPolicy() = default;
  explicit ReconnectPolicy(Settings settings) : settings_(settings) {}

  /// The wait before the next attempt.
  std::chrono::milliseconds next_wait(const EndedConnection& ended, double random);

  /// Ends in a row without a stable connection between them; 0 after a stable one.
  unsigned attempt() const { return attempt_; }
  /// The upper bound of the last wait.
  std::chrono::milliseconds window() const { return window_; }

 private:
  std::chrono::milliseconds window_of(unsigned attempt, bool is_shared) const;

  Settings settings_;
  unsigned attempt_ = 0;
  bool is_shared_ = false;             ///< the core had accepted a connection before
  std::chrono::milliseconds left_{0};  ///< of the window of the last attempt
  std::chrono::milliseconds window_{0};
};

}  // namespace satellite::agent
