#pragma once

#include "protocol/vocabulary/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::agent {

/// Where a TCP connection is to lead; the host is a name, or an address without brackets.
struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};

/// What stands between the scheme of a URL and its path: a host, and a port where one was written.
///
/// Shape:  `host` is a name or an address without brackets, lower case, without the root's dot.
/// Source: RFC 3986 section 3.2.
struct UrlAuthority {
  std::string host;
  bool host_is_address = false;
  bool host_is_ipv6 = false;
  std::optional<std::uint16_t> port;

  /// As it stands in front of a port: an IPv6 address in brackets.
  std::string bracketed_host() const { return host_is_ipv6 ? '[' + host + ']' : host; }
};

/// Pure; no name is looked up. `text` has no user name any more.
///
/// Errors: invalid_input with the remedy, for hosts that two parsers could read differently
///         (numbers in odd notations), names that DNS cannot have, and ports beyond 1 to 65535.
///         The message does not say which URL it is about and does not repeat it.
Result<UrlAuthority> parse_url_authority(std::string_view text);

/// Whether every byte may stand in a URL, and there are not too many of them.
/// Errors: as above.
Result<void> check_url_characters(std::string_view url);

/// ASCII only: hosts and schemes.
std::string ascii_lower_case(std::string_view text);

}  // namespace satellite::agent
