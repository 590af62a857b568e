#pragma once

#include "sandbox/policy/address_block.hpp"

#include <cstddef>
#include <vector>

namespace satellite::sandbox {

/// One rule for what leaves the network namespace of a run.
struct FilterRule {
  enum class Match {
    destination,          ///< packets to `destination`
    neighbour_discovery,  ///< ICMPv6 neighbour solicitations and advertisements of this link
    ip_options,           ///< IPv4 with options, a source route among them, but for IGMP's own
    routing_header,       ///< IPv6 with stations on the way
    everything,
  };
  enum class Verdict { drop, accept };
  Match match = Match::everything;
  Verdict verdict = Verdict::drop;
  AddressBlock destination;
  bool operator==(const FilterRule&) const = default;
};

/// The packet filter of a run as data: the first rule that matches decides, and what no rule
/// matches passes, so an allowlist ends with a rule that drops everything.
struct PacketFilter {
  std::vector<FilterRule> rules;
  bool operator==(const PacketFilter&) const = default;
};

/// The operator's own blocked addresses, in front of the entries that allow.
inline constexpr std::size_t blocked_addresses_max = 64;
inline constexpr std::size_t filter_rules_max = allow_entries_max + blocked_addresses_max + 12;

/// What the one interface besides lo is called in a network with a way out.
inline constexpr const char* macvlan_uplink_name = "uplink0";
inline constexpr const char* slirp4netns_uplink_name = "tap0";

/// Whether any IPv6 packet may leave; where not, the namespace need not speak IPv6 at all.
bool opens_ipv6(const PacketFilter& filter);

}  // namespace satellite::sandbox
