#include "sandbox/planning/network_decision.hpp"

#include "sandbox/planning/egress_rules.hpp"

#include <utility>

namespace satellite::sandbox {
namespace {

using Kind = NetworkDecision::Kind;
using Mode = NetworkDecision::Mode;

/// An engine that can take a fresh network namespace is there and the kernel lets it.
bool can_take_namespace(const HostFacts& facts) {
  if (facts.platform != "linux") return false;
  if (facts.native_engine) return true;
  return facts.net_namespaces &&
         (facts.wrapper == Wrapper::bwrap || facts.wrapper == Wrapper::nsjail);
}

/// A macvlan without an address has no route: what the policy allows would be lost in it.
bool has_macvlan_uplink(const HostFacts& facts) {
  return facts.net_egress_iface.has_value() && facts.net_egress_addressing.has_value();
}

std::string cannot_isolate(const HostFacts& facts, const std::vector<Engine>& engines,
                           std::string_view what) {
  const bool has_wrapper = facts.wrapper == Wrapper::bwrap || facts.wrapper == Wrapper::nsjail;
  std::string reason(what);
  reason += " needs a fresh network namespace, and this host cannot make one for a run: ";
  if (!has_wrapper) reason += engine_remedy(engines) + ", and ";
  reason += "allow unprivileged user and network namespaces";
  if (facts.platform != "linux") reason += " (platform=" + facts.platform + ")";
  return reason;
}

/// A namespace with a filtered way out, by the means this host has.
NetworkDecision filtered(const HostFacts& facts, std::string ruleset, PacketFilter filter) {
  NetworkDecision decision;
  decision.kind = Kind::namespaced;
  decision.mode = Mode::allowlist;
  decision.ruleset = std::move(ruleset);
  decision.filter = std::move(filter);
  decision.egress = Egress::slirp4netns;
  if (has_macvlan_uplink(facts)) {
    decision.egress = Egress::macvlan;
    decision.uplink = *facts.net_egress_iface;
    decision.addressing = facts.net_egress_addressing;
  }
  return decision;
}

NetworkDecision routeless(std::string reason = {}) {
  NetworkDecision decision;
  decision.kind = Kind::namespaced;
  decision.mode = Mode::deny;
  decision.egress = Egress::routeless;
  decision.reason = std::move(reason);
  return decision;
}

NetworkDecision degraded(std::string reason) {
  NetworkDecision decision;
  decision.kind = Kind::degrade;
  decision.reason = std::move(reason);
  return decision;
}

NetworkDecision decide_unrestricted(const NetworkPolicy& policy, const HostFacts& facts,
                                    const std::vector<std::string>& blocked) {
  NetworkDecision decision;
  if (!policy.deny_link_local_and_metadata) return decision;
  if (has_macvlan_uplink(facts) || facts.net_egress_rootless) {
    const EgressRules rules{EgressRules::Kind::metadata_only, {}, true, blocked};
    auto ruleset = egress_ruleset(rules);
    if (!ruleset) return routeless(ruleset.error().message + "; no network access at all");
    return filtered(facts, *std::move(ruleset), *packet_filter(rules));
  }
  decision.metadata_block_unenforceable = true;
  if (facts.egress_untried) {
    decision.reason = egress_not_tried_yet;
    return decision;
  }
  decision.reason =
      "blocking link-local and cloud metadata addresses needs a network namespace with a filtered "
      "way out (slirp4netns, or a macvlan uplink under a root satellite), which this host does not "
      "offer";
  return decision;
}

NetworkDecision decide_allowlist(const NetworkPolicy& policy, const HostFacts& facts,
                                 const std::vector<std::string>& blocked,
                                 const std::vector<Engine>& engines) {
  const EgressRules rules{EgressRules::Kind::allowlist, policy.allow,
                          policy.deny_link_local_and_metadata, blocked};
  auto ruleset = egress_ruleset(rules);
  if (!ruleset) {
    // A list that cannot be understood allows nothing: opening the host's network instead would
    // turn a typing error into full access.
    std::string reason =
        ruleset.error().message + "; no network access at all until it is put right";
    return can_take_namespace(facts) ? routeless(std::move(reason))
                                     : degraded(ruleset.error().message + "; " +
                                                cannot_isolate(facts, engines, "an allowlist"));
  }
  if (!can_take_namespace(facts)) {
    return degraded(cannot_isolate(facts, engines, "an allowlist"));
  }
  if (has_macvlan_uplink(facts) || facts.net_egress_rootless) {
    return filtered(facts, *std::move(ruleset), *packet_filter(rules));
  }
  if (facts.egress_untried) return degraded(std::string(egress_not_tried_yet));
  return degraded(
      "the allowlist needs a filtered way out of the network namespace: rootless (slirp4netns), "
      "or a macvlan uplink with static addressing (a root satellite, "
      "CHECKSTACK_SANDBOX_MACVLAN_IP/_NM/_GW), and this host offers neither; a namespace without "
      "one would be a blackhole for the allowed addresses");
}

}  // namespace

NetworkDecision decide_network(const NetworkPolicy& policy, const HostFacts& facts,
                               const std::vector<std::string>& blocked,
                               const std::vector<Engine>& engines) {
  switch (policy.mode) {
    case NetworkMode::unrestricted:
      return decide_unrestricted(policy, facts, blocked);
    case NetworkMode::allowlist:
      // An allowlist that allows nothing is `deny` and needs no filter.
      if (!policy.allow.empty()) return decide_allowlist(policy, facts, blocked, engines);
      [[fallthrough]];
    case NetworkMode::deny:
      break;
  }
  return can_take_namespace(facts)
             ? routeless()
             : degraded(cannot_isolate(facts, engines, "cutting a script off the network"));
}

}  // namespace satellite::sandbox
