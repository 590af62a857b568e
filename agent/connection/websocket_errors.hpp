#pragma once

#include "agent/connection/websocket_link.hpp"

#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <optional>

namespace satellite::agent {

/// What Beast reports, in the words of websocket_link.hpp. Texts of the peer stay within bounds;
/// they must be escaped where they are printed.

Error read_error(const boost::system::error_code& failure,
                 const boost::beast::websocket::close_reason& reason, ByteCount frame_size_max);
Error write_error(const boost::system::error_code& failure);
Error binary_frame_error();

/// Past 4999 no close code means anything (RFC 6455 7.4.2); Beast takes them.
bool is_unassigned(const boost::beast::websocket::close_reason& reason);

/// An extension or a subprotocol in the answer to the upgrade: we offer neither, so that RFC 6455
/// 4.1 has us fail the connection.
std::optional<Error> unasked_in(const boost::beast::websocket::response_type& response);

/// By how much the local clock is ahead of the answer's Date; nothing where it has none.
std::optional<std::chrono::seconds> clock_ahead_of(
    const boost::beast::websocket::response_type& response);

/// The upgrade failed: from the transport's error, or from the HTTP answer that was no 101.
ConnectAttempt upgrade_failure(const boost::system::error_code& failure,
                               const boost::beast::websocket::response_type& response,
                               const CoreAddress& address);

/// The words for a connection that keep_alive cut.
Error death_error(LinkVerdict verdict, const HeartbeatPolicy::Settings& settings);

}  // namespace satellite::agent
