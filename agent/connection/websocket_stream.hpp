#pragma once

#include "agent/connection/websocket_link.hpp"
#include "tls/byte_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <chrono>

namespace satellite::agent {

/// The upgrade over a stream that is connected, and through its TLS handshake where it has one: the
/// link, or why there is none.
boost::asio::awaitable<ConnectAttempt> upgrade(tls::ByteStream stream, CoreAddress address,
                                               LinkSettings settings,
                                               std::chrono::steady_clock::time_point deadline);

}  // namespace satellite::agent
