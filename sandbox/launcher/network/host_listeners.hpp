#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/kernel/netlink.hpp"

#include <cstdint>
#include <set>
#include <string_view>
#include <utility>

namespace satellite::sandbox {

enum class LoopbackFamily { ipv4, ipv6 };

/// The ports at which a connection to 127.0.0.1 or ::1 of this network namespace would be taken
/// now.
using ListeningPorts = std::set<std::pair<LoopbackFamily, std::uint16_t>>;

/// Adds what one socket of the kernel's answer stands for; bytes that are none add nothing. Pure.
///
/// Shape:  a socket for all addresses counts, for IPv4 also an IPv6 one that takes both. One whose
///         queue is full does not: a connection would wait there.
/// Source: sock_diag(7); linux/inet_diag.h.
void add_listener(std::string_view answer, ListeningPorts& ports);

/// Asks the kernel. Errors: what it answered.
Result<ListeningPorts> listening_ports(kernel::NetlinkSocket& diagnosis);

}  // namespace satellite::sandbox
