#pragma once

#include "agent/connection/url_authority.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// How bytes reach the core. `plain` exists for a core on this very host only.
enum class Transport { tls, plain };

/// Where the core is, taken apart for the steps of a connection.
///
/// Shape:  `host` is a name or an address without brackets, lower case; `target` is what the
///         upgrade request asks for; `host_header` has brackets and a port where HTTP wants them.
/// Source: core-contract 1.1, RFC 3986 section 3.
struct CoreAddress {
  Transport transport = Transport::tls;
  std::string host;
  bool host_is_address = false;
  std::uint16_t port = 443;
  std::string host_header;
  std::string target;

  /// `wss://core.example.org/prefix/api/ws/satellite`, for people and logs.
  std::string url() const;
  HostAndPort host_and_port() const { return {host, port}; }

  bool operator==(const CoreAddress&) const = default;
};

/// The core URL setting -> where to connect. Pure: no name is looked up.
///
/// Shape:  http(s) and ws(s) mean the same; one trailing `/` is removed, a path prefix is kept, and
///         `/api/ws/satellite` is appended unless it stands there already.
/// Errors: invalid_input with the remedy: other schemes, user names in the URL, queries, fragments,
///         hosts that are neither a name nor an address, bad ports, and `http`/`ws` to anything
///         but loopback. The text of the URL is repeated only where it can hold no password.
Result<CoreAddress> parse_core_url(std::string_view url);

/// The core URL setting where it may name several cores of one cluster: between commas, at most 8,
/// none twice. Errors: those of parse_core_url; invalid_input, limit_exceeded.
Result<std::vector<CoreAddress>> parse_core_urls(std::string_view urls);

/// Is this numeric address, or the name `localhost`, certainly this very host?
bool is_loopback_host(std::string_view host);

}  // namespace satellite::agent
