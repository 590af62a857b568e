#include "sandbox/planning/egress_notes.hpp"

#include "sandbox/policy/address_block.hpp"

#include <algorithm>
#include <optional>

namespace satellite::sandbox {
namespace {

/// A longer list is shortened; the policy has all of it.
constexpr std::size_t entries_shown_max = 8;

bool is_loopback(const AddressBlock& address) {
  const auto loopback = parse_address_block("127.0.0.0/8");
  const auto loopback6 = parse_address_block("::1");
  return contains(*loopback, address) || contains(*loopback6, address);
}

/// The verdict of the first rule that matches packets to this address.
bool lets_out(const PacketFilter& filter, const AddressBlock& address) {
  for (const auto& rule : filter.rules) {
    const bool matches =
        rule.match == FilterRule::Match::everything ||
        (rule.match == FilterRule::Match::destination && contains(rule.destination, address));
    if (matches) return rule.verdict == FilterRule::Verdict::accept;
  }
  return true;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size() && i < entries_shown_max; ++i) {
    if (i > 0) text += ", ";
    text += words[i];
  }
  if (words.size() > entries_shown_max) {
    text += " and " + std::to_string(words.size() - entries_shown_max) + " more";
  }
  return text;
}

/// The entries of an allowlist that are on loopback, and the others.
struct Destinations {
  std::vector<std::string> loopback, others;
};

Destinations destinations_of(const std::vector<std::string>& allow) {
  Destinations found;
  for (const auto& entry : allow) {
    const auto address = parse_address_block(entry);
    (address && is_loopback(*address) ? found.loopback : found.others).push_back(entry);
  }
  return found;
}

constexpr std::string_view own_loopback =
    "a run has a loopback of its own, where of the host's services only the ports of "
    "host_view.loopback answer";

std::string name_note(const HostFacts& facts, const PacketFilter& filter) {
  std::vector<std::string> reachable;
  for (const auto& server : facts.name_servers) {
    const auto address = parse_address_block(server);
    const bool carried =
        address && (address->family == AddressBlock::Family::ipv4 || facts.net_egress_ipv6);
    if (carried && !is_loopback(*address) && lets_out(filter, *address)) {
      reachable.push_back(server);
    }
  }
  if (!reachable.empty()) return "names resolve through " + joined(reachable);
  const std::string why = facts.name_servers.empty()
                              ? "/etc/resolv.conf names no server"
                              : "no name server of /etc/resolv.conf (" +
                                    joined(facts.name_servers) +
                                    ") can be reached from the run's own network";
  return "names do not resolve: " + why +
         "; use addresses, or list a name server that is not on loopback in network.allow and in "
         "/etc/resolv.conf";
}

}  // namespace

std::vector<std::string> egress_notes(const NetworkPolicy& policy, const HostFacts& facts,
                                      const NetworkDecision& decision) {
  std::vector<std::string> notes;
  if (!decision.filter) return notes;
  if (policy.mode == NetworkMode::allowlist) {
    const auto destinations = destinations_of(policy.allow);
    notes.push_back(destinations.others.empty()
                        ? "no destination can be reached"
                        : "only these destinations can be reached: " + joined(destinations.others));
    if (!destinations.loopback.empty()) {
      notes.push_back("without effect in network.allow: " + joined(destinations.loopback) + "; " +
                      std::string(own_loopback));
    }
  } else {
    notes.push_back("the host's 127.0.0.1 and ::1 are out of reach: " + std::string(own_loopback));
  }
  notes.push_back(name_note(facts, *decision.filter));
  const bool uplink_has_ipv6 = decision.egress == Egress::macvlan && facts.net_egress_ipv6;
  if (opens_ipv6(*decision.filter) && !uplink_has_ipv6) {
    notes.push_back(
        decision.egress == Egress::macvlan
            ? "IPv6 destinations are out of reach: the macvlan uplink has no IPv6 address "
              "(CHECKSTACK_SANDBOX_MACVLAN_IP6, _GW6)"
            : "IPv6 destinations are out of reach: slirp4netns carries IPv4 only");
  }
  if (decision.egress == Egress::slirp4netns && facts.slirp4netns_drops_echo) {
    notes.push_back(
        "ping gets no answer: slirp4netns may not send echo requests, since its group is outside "
        "of the host's net.ipv4.ping_group_range");
  }
  return notes;
}

}  // namespace satellite::sandbox
