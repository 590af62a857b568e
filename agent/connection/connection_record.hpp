#pragma once

#include "agent/runtime/notification.hpp"

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace satellite::agent {

/// What `last_reason` says after a refusal.
inline constexpr const char* refused_in_words = "the core refused id or token";

/// What is known of the connections of this process, for whoever asks how it is doing.
///
/// Shape:  written by the session of the moment and by who waits between two of them.
struct ConnectionRecord {
  using Time = std::chrono::steady_clock::time_point;

  explicit ConnectionRecord(boost::asio::io_context& context) : changed(context) {}

  std::uint64_t attempts = 0;
  std::uint64_t failures = 0;         ///< attempts that did not get as far as `authenticated`
  std::uint64_t authentications = 0;  ///< connections that the core accepted
  std::uint64_t refusals = 0;         ///< of id or token
  std::uint64_t bytes_sent = 0, bytes_received = 0;  ///< of whole frames

  std::string peer;                      ///< of the current or latest connection
  std::string proxy;                     ///< through which that was; empty = none
  std::string tls_version;               ///< of that
  std::optional<Time> authenticated_at;  ///< of the current one; nothing while there is none
  std::optional<Time> disconnected_at;
  std::string last_reason;  ///< why the latest attempt failed or connection ended; empty = none did
  std::chrono::system_clock::time_point last_reason_at{};
  std::optional<Time> next_attempt_at;  ///< while it waits for that

  Notification changed;  ///< after each of them but the bytes

  void failed_with(const std::string& reason) {
    last_reason = reason;
    last_reason_at = std::chrono::system_clock::now();
    changed.notify_all();
  }
};

}  // namespace satellite::agent
