#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/planning/packet_filter.hpp"

namespace satellite::sandbox {

/// Loads `filter` into the network namespace of the calling process, all of it or nothing, without
/// an external program: one nfnetlink batch for table, chain and rules.
///
/// Errors: not_permitted (no CAP_NET_ADMIN over the namespace), unsupported (no nf_tables).
/// Source: nft(8) for what a rule means; linux/netfilter/nf_tables.h for how it travels.
Result<void> load_packet_filter(const PacketFilter& filter);

/// Reads the ruleset of the namespace back from the kernel: it must be `filter`, rule for rule, in
/// one chain on the way out, and nothing besides.
///
/// Errors: internal when it is anything else.
Result<void> check_packet_filter(const PacketFilter& filter);

}  // namespace satellite::sandbox
