#pragma once

#include "agent/checks/secret_fetch.hpp"
#include "agent/config/config.hpp"
#include "agent/connection/connection_record.hpp"
#include "agent/connection/core_url.hpp"
#include "agent/connection/session_machine.hpp"
#include "agent/connection/websocket_link.hpp"
#include "agent/intake/inbox.hpp"
#include "agent/outbound/outbox.hpp"
#include "agent/runtime/log.hpp"
#include "agent/runtime/notification.hpp"
#include "tls/settings.hpp"

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>

namespace satellite::agent {

/// One connected period: connect, authenticate, then read, write, heartbeat and liveness side by
/// side, until the connection ends; nothing of it goes on afterwards.
///
/// Shape:  SessionMachine decides; the coroutines here wait for events, tell them to the machine
///         and perform its actions. One deadline over DNS, TCP, TLS, upgrade and authentication.
///         The closing handshake is always finished or timed out before run() returns, because a
///         core that sees the old socket close late takes the new one for gone (core-contract
///         9-B1).
/// Source: core-contract 1.2, 1.6.
class Session {
 public:
  struct Dependencies {
    boost::asio::io_context& context;
    Log& log;
    const Config& config;
    const CoreAddress& address;
    Inbox& inbox;
    SecretFetch& secrets;
    Outbox& outbox;
    std::chrono::steady_clock::time_point process_started;
    const Secret& token;
    tls::Settings trust;
    ConnectionRecord& record;
    bool core_answers_registration_probe = false;  ///< as known from earlier connections
  };
  explicit Session(Dependencies dependencies);

  boost::asio::awaitable<EndedConnection> run();

  /// After run(): whether the core answers the registration probe; nothing if that is as unknown as
  /// before.
  std::optional<bool> core_answers_registration_probe() const {
    return machine_.core_answers_probe();
  }

  /// Sends what waits in the outbox, within the closing deadline, and closes.
  void stop();
  /// Ends it as a refresh does, so that the next one begins with what was reloaded.
  void reload() { tell(SessionEvent::reload_asked); }

 private:
  boost::asio::awaitable<bool> open();
  void could_not_connect(const Error& why, std::string_view stage);
  boost::asio::awaitable<void> read_frames();
  boost::asio::awaitable<void> write_frames();
  boost::asio::awaitable<void> keep_alive();
  boost::asio::awaitable<void> watch_timer(SessionTimer timer, SessionEvent event);
  boost::asio::awaitable<void> watch_replies();
  boost::asio::awaitable<void> close_when_asked();
  void take(SessionVerdict verdict);

  void tell(SessionEvent event, std::optional<Error> why = std::nullopt);
  void perform(const ArmTimer& action);
  void perform(const WriteLog& action);
  void perform(const RaiseFrameLimit& action);
  void perform(const SendHeartbeat& action);
  void perform(const SendProbe& action);
  void perform(const CloseLink& action);
  void perform(const EndLoops& action);
  void record(SessionEvent event, const std::optional<Error>& why);

  Dependencies dependencies_;
  /// From the first DNS lookup to the core's answer.
  std::chrono::steady_clock::time_point deadline_;
  SessionMachine machine_;
  std::unique_ptr<WebSocketLink> link_;
  Notification changed_;  ///< `close_` or the machine's end
  std::array<boost::asio::steady_timer, session_timer_count> timers_;
  std::optional<CloseLink> close_;
  std::optional<std::chrono::seconds> retry_after_;
  bool proxy_refused_ = false;
};

}  // namespace satellite::agent
