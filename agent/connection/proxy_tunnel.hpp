#pragma once

#include "agent/connection/proxy_choice.hpp"
#include "protocol/vocabulary/result.hpp"
#include "tls/byte_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

namespace satellite::agent {

/// The way to the proxy is open: what it is asked, and by whom.
struct TunnelRequest {
  HostAndPort core;
  std::string user_agent;
  std::chrono::steady_clock::time_point deadline;
};

/// What came of it.
struct ProxyTunnel {
  Result<tls::ByteStream> stream;                   ///< of which the other end is the core
  std::optional<std::chrono::seconds> retry_after;  ///< what a 429 or 503 asked for
  bool refused_credentials = false;                 ///< 407, although a user was shown
};

/// TLS to the proxy where its URL says so, then CONNECT and its answer, of which not a byte more
/// is read than the bound allows.
///
/// Errors: `proxy URL: …` with the status or what failed and the remedy; not_permitted for 403, 407
///         and a certificate that is refused; unavailable for 502 to 504 and a connection that is
///         closed; unsupported for what is no proxy; limit_exceeded; timed_out at the deadline.
/// Source: RFC 9110 section 9.3.6.
boost::asio::awaitable<ProxyTunnel> open_tunnel(tls::ByteStream stream, ProxyUse proxy,
                                                TunnelRequest request);

}  // namespace satellite::agent
