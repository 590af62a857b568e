#pragma once

#include "agent/config/config.hpp"
#include "agent/connection/core_url.hpp"
#include "agent/connection/reconnect_policy.hpp"
#include "agent/connection/registration_probe.hpp"
#include "agent/connection/websocket_link.hpp"
#include "agent/intake/inbox.hpp"
#include "agent/outbound/outbox.hpp"
#include "agent/runtime/log.hpp"
#include "agent/runtime/notification.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace satellite::agent {

/// One connected period: connect, authenticate, then read, write, heartbeat and liveness side by
/// side, until the connection ends; nothing of it goes on afterwards.
///
/// Shape:  one deadline over DNS, TCP, TLS, upgrade and authentication. The closing handshake is
///         always finished or timed out before run() returns, because a core that sees the old
///         socket close late takes the new one for gone (core-contract 9-B1).
/// Source: core-contract 1.2, 1.6.
class Session {
 public:
  struct Parts {
    boost::asio::io_context& context;
    Log& log;
    const Config& config;
    const CoreAddress& address;
    Inbox& inbox;
    Outbox& outbox;
    std::chrono::steady_clock::time_point process_started;
    const Secret& token;
    bool core_answers_registration_probe = false;  ///< as known from earlier connections
  };
  explicit Session(Parts parts);

  boost::asio::awaitable<EndedConnection> run();

  /// After run(): whether the core answers who asks for the way; nothing if that is as unknown as
  /// before.
  std::optional<bool> core_answers_registration_probe() const;

  /// Says what is left to say, within the closing deadline, and closes.
  void stop();

 private:
  boost::asio::awaitable<bool> open(std::chrono::steady_clock::time_point deadline);
  boost::asio::awaitable<void> read_frames();
  boost::asio::awaitable<void> write_frames();
  boost::asio::awaitable<void> keep_alive();
  boost::asio::awaitable<void> send_heartbeats();
  boost::asio::awaitable<void> watch_route();
  boost::asio::awaitable<void> refresh_when_due();
  boost::asio::awaitable<void> close_when_asked(std::chrono::steady_clock::time_point deadline);
  boost::asio::awaitable<void> say_what_is_left();
  void take(SessionVerdict verdict);
  void ask_to_close(CloseCode code, const std::string& reason);
  void end(const Error& why);

  Parts parts_;
  std::unique_ptr<WebSocketLink> link_;
  Notification changed_;
  boost::asio::steady_timer heartbeat_timer_;
  boost::asio::steady_timer deadline_timer_;
  boost::asio::steady_timer route_timer_;
  boost::asio::steady_timer refresh_timer_;
  std::optional<RegistrationProbe> route_probe_;
  EndedConnection ended_;
  std::chrono::steady_clock::time_point authenticated_at_{};
  bool authenticated_ = false;
  bool over_ = false;
  bool close_asked_ = false;
  bool drains_first_ = false;
  CloseCode close_code_ = CloseCode::normal;
  std::string close_reason_;
};

}  // namespace satellite::agent
