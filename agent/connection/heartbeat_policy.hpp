#pragma once

#include "protocol/vocabulary/limits.hpp"

#include <chrono>
#include <optional>

namespace satellite::agent {

/// What is known about a connection's life at one moment.
struct LinkActivity {
  std::chrono::steady_clock::time_point last_received;  ///< any byte of the peer counts
  std::chrono::steady_clock::time_point last_ping;      ///< ours; the connection's start before
  /// A frame of ours that the peer has not taken yet.
  std::optional<std::chrono::steady_clock::time_point> writing_since;
  /// The WebSocket is closing but the peer does not finish it.
  std::optional<std::chrono::steady_clock::time_point> closing_since;
};

enum class LinkVerdict {
  alive,
  ping,           ///< ask the peer for a sign of life
  silent,         ///< nothing came for too long: dead
  not_reading,    ///< the peer takes nothing any more: dead
  never_closing,  ///< the closing handshake does not end: cut it
};

/// What to do about a connection, and when to look again.
struct LinkDecision {
  LinkVerdict verdict = LinkVerdict::alive;
  std::chrono::steady_clock::time_point look_again;
};

/// Silence -> ping or drop. Pure: every time is an argument.
///
/// Shape:  pings go out at a fixed rhythm, also while bytes flow, because a pong is the only proof
///         that the peer has read what we sent before it.
/// Source: RFC 6455 5.5.2, 5.5.3; agent/README.md "Decisions".
class HeartbeatPolicy {
 public:
  struct Settings {
    std::chrono::milliseconds ping_interval = limits::ping_interval;
    std::chrono::milliseconds silence_max = limits::silence_max;
    std::chrono::milliseconds close_deadline = limits::close_deadline;
  };

  HeartbeatPolicy() = default;
  explicit HeartbeatPolicy(Settings settings) : settings_(settings) {}

  LinkDecision decide(const LinkActivity& activity,
                      std::chrono::steady_clock::time_point now) const;

 private:
  Settings settings_;
};

}  // namespace satellite::agent
