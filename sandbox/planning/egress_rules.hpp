#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/planning/packet_filter.hpp"

#include <string>
#include <vector>

namespace satellite::sandbox {

/// What the packet filter of a run's own network namespace lets out.
struct EgressRules {
  enum class Kind {
    allowlist,      ///< loopback and the entries of `allow`; everything else is dropped
    metadata_only,  ///< everything but link-local, unique-local and the cloud metadata addresses
  };
  Kind kind = Kind::allowlist;
  std::vector<std::string> allow;
  bool deny_link_local_and_metadata = true;
  std::vector<std::string> blocked{};  ///< the operator's; dropped whatever `allow` says
};

/// The nftables ruleset for `rules`: the reference satellite's text, and IPv6 neighbour discovery
/// where the rules let IPv6 out at all.
///
/// Shape:  the blocked addresses come first, so that no later accept can open them again.
/// Errors: invalid_input naming the first entry that is no address or block; such an entry is never
///         spliced into rules, since it could carry rules of its own.
/// Source: reference-satellite 7; nft(8).
Result<std::string> egress_ruleset(const EgressRules& rules);

/// The same rules as the launcher loads them, without a text in between. Errors: as above.
Result<PacketFilter> packet_filter(const EgressRules& rules);

}  // namespace satellite::sandbox
