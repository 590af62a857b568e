#pragma once

#include "agent/connection/url_authority.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// Who is reached without the proxy, as NO_PROXY and `proxy.bypass` write it: entries between
/// commas or blanks, at most 256 of them.
///
/// Shape:  `*` is everybody. A name is itself and all below it, whether a dot or `*.` stands before
///         it or not. An address is itself, a block (`10.0.0.0/8`, `fd00::/8`) all in it; both are
///         compared with hosts that are addresses, since no name is looked up for this. `:443`
///         behind a name or address (an IPv6 address in brackets) means that port alone.
/// Source: deploy/README.md "A proxy before the core".

/// The first entry that is about `wanted`, as it was written. Pure.
std::optional<std::string> bypassed_by(std::string_view list, const HostAndPort& wanted);

/// Entries that are none of these, and `…` behind the 256th. Pure.
std::vector<std::string> unknown_bypass_entries(std::string_view list);
/// The others, with commas between them. Pure.
std::string known_bypass_entries(std::string_view list);

}  // namespace satellite::agent
