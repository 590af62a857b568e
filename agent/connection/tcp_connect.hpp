#pragma once

#include "protocol/vocabulary/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <vector>

namespace satellite::agent {

/// Connects to the first of several addresses that answers ("happy eyeballs", RFC 8305).
///
/// Shape:  the next attempt begins when the one before failed, or `stagger` after it began: one
///         dead address costs 250 ms, not the minutes of a TCP timeout. Losers are closed.
/// Errors: unavailable with what each address answered; timed_out at `deadline`; cancelled.
boost::asio::awaitable<Result<boost::asio::ip::tcp::socket>> tcp_connect(
    std::vector<boost::asio::ip::tcp::endpoint> endpoints,
    std::chrono::steady_clock::time_point deadline,
    std::chrono::milliseconds stagger = std::chrono::milliseconds(250));

/// `192.0.2.1:443`, `[2001:db8::1]:443`.
std::string text_of(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace satellite::agent
