#pragma once

#include "sandbox/host/host_facts.hpp"
#include "sandbox/planning/network_decision.hpp"
#include "sandbox/policy/policy.hpp"

#include <string>
#include <vector>

namespace satellite::sandbox {

/// What an operator has to know about a run with a filtered way out: whether names resolve, and
/// which entries of the allowlist the uplink cannot reach. Pure.
///
/// Shape:  a script sees the host's /etc/resolv.conf and asks those name servers itself, through
///         the filter like everything else; nothing answers names for it.
std::vector<std::string> egress_notes(const NetworkPolicy& policy, const HostFacts& facts,
                                      const NetworkDecision& decision);

}  // namespace satellite::sandbox
