#pragma once

#include "agent/config/resolver.hpp"
#include "agent/connection/close_code.hpp"
#include "agent/connection/core_url.hpp"
#include "agent/connection/heartbeat_policy.hpp"
#include "agent/connection/proxy_choice.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "tls/settings.hpp"

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::agent {

/// The steps of a connection, in order; an error belongs to one of them.
enum class ConnectStage { trust, dns, tcp, proxy, tls, upgrade };
std::string_view name_of(ConnectStage stage);

struct LinkSettings {
  tls::Settings tls;
  std::optional<ProxyUse> proxy;  ///< nothing = directly
  Resolver resolver = Resolver::builtin;
  HeartbeatPolicy::Settings heartbeat;
  std::string user_agent = "checkstack-satellite";
};

/// What a connection turned out to be, for the log line that greets it.
struct LinkFacts {
  std::string peer;         ///< `192.0.2.1:443`; with a proxy that one's
  std::string proxy;        ///< its URL; empty = directly
  std::string tls_version;  ///< `TLSv1.3`; empty without TLS
  std::string cipher;
  std::chrono::milliseconds connected_in{0};
  std::optional<std::chrono::system_clock::time_point> certificate_ends;  ///< of the core's
  /// By how much this host's clock is ahead of the one in the answer to the upgrade.
  std::optional<std::chrono::seconds> clock_ahead;
};

/// One WebSocket to the core, from the finished upgrade to its end.
///
/// Shape:  at any time at most one read and one write, from any coroutines of the one thread.
///         A read must always be pending, since control frames are only served by it, and
///         keep_alive() must run beside it. To end: close(); the pending read then returns.
///         Cancelling a read or write tears the connection down without a closing handshake.
/// Units:  frames are whole messages of text; a binary one ends the connection with 1003.
/// Errors: unavailable = the core went away (its close code and reason in the message);
///         limit_exceeded = a frame above the limit, answered with 1009; timed_out = the core is
///         silent or reads nothing; invalid_input = it breaks the WebSocket protocol or sends a
///         binary frame.
class WebSocketLink {
 public:
  virtual ~WebSocketLink() = default;

  virtual boost::asio::awaitable<Result<std::string>> read() = 0;
  virtual boost::asio::awaitable<Result<void>> write(std::string frame) = 0;
  /// For a frame with a secret in it: wiped once it is written, or could not be. What goes further
  /// down is masked (RFC 6455 5.3) in a buffer that the next frame overwrites, and then encrypted.
  virtual boost::asio::awaitable<Result<void>> write_and_wipe(std::string frame) = 0;

  /// Has a ping sent behind all that was written until now; the number of it.
  virtual std::uint64_t ping() = 0;
  /// While it is on, what is written leaves only in whole packets, or after 200 ms; turning it off
  /// sends the rest. Source: tcp(7), TCP_CORK.
  virtual void hold_back(bool hold) = 0;

  /// Called from within read(), with the number of each pong: the peer has read everything that
  /// was written before the ping of this number.
  virtual void on_pong(std::function<void(std::uint64_t)> told) = 0;

  /// Pings every 15 s and watches. Returns why the connection is over: what a read or write failed
  /// with, the death it found itself and cut, or `cancelled` once close() was called.
  virtual boost::asio::awaitable<Error> keep_alive() = 0;

  /// The closing handshake, bounded by its deadline; afterwards nothing of it is left open.
  /// `reason` is cut to the 123 bytes that a close frame has room for. Idempotent.
  virtual boost::asio::awaitable<void> close(CloseCode code, std::string reason) = 0;

  /// Of the close frame with which the core ended it; nothing if we did, or it sent none.
  virtual std::optional<std::uint16_t> close_code_of_core() const = 0;

  /// From the next frame on. A fresh link takes `frame_size_max_before_authentication`.
  virtual void set_frame_size_max(ByteCount size) = 0;
};

/// One attempt: the link, or the step that failed and why.
struct ConnectAttempt {
  Result<std::unique_ptr<WebSocketLink>> link;
  ConnectStage stage = ConnectStage::trust;
  /// What a 429 or 503 asked for, held within 1 s and 15 min.
  std::optional<std::chrono::seconds> retry_after;
  LinkFacts facts;
  /// The proxy did not take the user and password that it was shown.
  bool proxy_refused_credentials = false;
};

/// DNS, TCP, the proxy if there is one, TLS and the upgrade under one absolute deadline.
///
/// Errors: the message begins with the step: DNS, TCP, proxy, TLS, upgrade, and names the proxy
///         wherever one is on the way. Redirects are refused.
boost::asio::awaitable<ConnectAttempt> connect_websocket(
    CoreAddress address, LinkSettings settings, std::chrono::steady_clock::time_point deadline);

}  // namespace satellite::agent
