#pragma once

#include "sandbox/host/engines.hpp"
#include "sandbox/host/host_facts.hpp"
#include "sandbox/planning/packet_filter.hpp"
#include "sandbox/planning/plan.hpp"
#include "sandbox/policy/policy.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// Where the packets of a run go, before it is known whether a wrapper can be built.
///
/// Shape:  `host` keeps the host's network; `namespaced` takes a fresh network namespace, routeless
///         for `deny`; `degrade` keeps the host's network because the request cannot be met.
/// Source: reference-satellite 7; core-contract 9-C18 for entries that are no addresses.
struct NetworkDecision {
  enum class Kind { host, namespaced, degrade };
  enum class Mode { deny, allowlist };
  Kind kind = Kind::host;
  Mode mode = Mode::deny;
  /// The way out of the namespace: routeless, macvlan or slirp4netns.
  Egress egress = Egress::host;
  std::string uplink;  ///< host interface of a macvlan
  std::optional<MacvlanAddressing> addressing;
  std::optional<std::string> ruleset;
  std::optional<PacketFilter> filter;  ///< the rules of `ruleset` as data
  /// The policy asks for the metadata block and this host has no way to filter without cutting off
  /// everything.
  bool metadata_block_unenforceable = false;
  /// Why the request is not met; also set beside a routeless namespace when an entry is unusable.
  std::string reason;
};

/// `blocked` are the operator's addresses: dropped by whatever filter is made, and no reason to
/// make one. `engines` may be used.
NetworkDecision decide_network(const NetworkPolicy& policy, const HostFacts& facts,
                               const std::vector<std::string>& blocked = {},
                               const std::vector<Engine>& engines = all_engines());

/// The first words of a reason whose only cause is that egress was not tried yet: a start does not
/// wait for trials that most policies never need.
inline constexpr std::string_view egress_not_tried_yet =
    "not tried yet: the first run that needs a filtered way out of its network namespace "
    "(slirp4netns or macvlan) tries it";

}  // namespace satellite::sandbox
