#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/host/macvlan_settings.hpp"
#include "sandbox/kernel/netlink.hpp"
#include "sandbox/planning/packet_filter.hpp"

namespace satellite::sandbox {

// Links, addresses and routes of a run's network namespace, over rtnetlink: no external program.

/// Brings lo up in the calling process's network namespace.
Result<void> raise_loopback();

/// Switches IPv6 off, or, where it is needed, makes it deaf to router advertisements: what a run
/// can reach is set by the operator, not by who answers first on the link.
Result<void> set_ipv6(bool wanted);

/// The number of an interface in the calling process's namespace.
Result<int> index_of_interface(const char* name);

/// Makes a macvlan of the interface `parent` directly inside the namespace behind
/// `network_namespace_fd`; it never exists in the host's. `host` is a socket of the host's
/// namespace.
///
/// Shape:  private mode (runs do not see each other), and a hardware address made from the IPv4
///         address, so that neighbours which remember the last run's find the next one.
/// Errors: not_permitted, unsupported (no macvlan on it).
Result<void> make_macvlan(kernel::NetlinkSocket& host, int parent, int network_namespace_fd,
                          const MacvlanSettings& settings);

/// Address, link up, default route, in the calling process's namespace.
Result<void> address_uplink(const UplinkAddress& address);
Result<void> raise_uplink();
Result<void> route_through_uplink(const UplinkAddress& address);

}  // namespace satellite::sandbox
