#pragma once

#include "agent/config/resolver.hpp"
#include "agent/connection/url_authority.hpp"
#include "protocol/vocabulary/result.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <vector>

namespace satellite::agent {

/// A host -> the addresses to try, in the order to try them.
///
/// Shape:  numeric hosts and `localhost` ask nobody; names are asked for anew each time. Families
///         alternate, the resolver's favourite first (RFC 8305 section 4). At most 16 addresses.
///         The built-in resolver asks /etc/hosts and the name servers of /etc/resolv.conf, whatever
///         nsswitch.conf says; where it fails, the error names the services that were not asked.
/// Errors: timed_out at `deadline`; unavailable when nobody answers or no answer fits; not_found
///         when the name does not exist; limit_exceeded while earlier lookups still hang.
boost::asio::awaitable<Result<std::vector<boost::asio::ip::tcp::endpoint>>> resolve(
    HostAndPort wanted, Resolver resolver, std::chrono::steady_clock::time_point deadline);

/// The order of RFC 8305: families take turns, each in its given order. Pure.
std::vector<boost::asio::ip::tcp::endpoint> interleaved(
    const std::vector<boost::asio::ip::tcp::endpoint>& endpoints);

}  // namespace satellite::agent
