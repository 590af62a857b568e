#include "sandbox/planning/egress_rules.hpp"

#include "sandbox/policy/address_block.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace satellite::sandbox {
namespace {

/// One set per family: nft merges entries that overlap.
struct Entries {
  std::string ipv4, ipv6;

  void add(const std::string& text, AddressBlock::Family family) {
    std::string& list = family == AddressBlock::Family::ipv4 ? ipv4 : ipv6;
    if (!list.empty()) list += ", ";
    list += text;
  }
};

void add_rule(std::string& rules, std::string_view family, std::string_view set,
              std::string_view verdict) {
  if (set.empty()) return;
  rules += "    ";
  rules += family;
  rules += " daddr { ";
  rules += set;
  rules += " } ";
  rules += verdict;
  rules += "\n";
}

/// Without neighbour discovery no allowed address on the link is found. A hop limit of 255 proves
/// that a packet never crossed a router.
constexpr std::string_view neighbour_discovery =
    "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept\n";

/// A source-routed packet has its first hop as destination, and no rule sees where it goes from
/// there. IGMP's option comes from the kernel, and no script can send IGMP.
constexpr std::string_view no_stations =
    "    ip protocol != igmp ip hdrlength != 5 drop\n"
    "    exthdr rt exists drop\n";

/// The entries as blocks, or which of them is none.
Result<std::vector<AddressBlock>> blocks_of(const EgressRules& rules) {
  std::vector<AddressBlock> blocks;
  if (rules.kind != EgressRules::Kind::allowlist) return blocks;
  const auto& entries = rules.allow;
  if (entries.size() > allow_entries_max) {
    return Error{ErrorCode::limit_exceeded, "network.allow: more than " +
                                                std::to_string(allow_entries_max) +
                                                " entries; write fewer, larger blocks"};
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto block = parse_address_block(entries[i]);
    if (!block) {
      return Error{ErrorCode::invalid_input,
                   "network.allow[" + std::to_string(i) + "]: " + block.error().message};
    }
    blocks.push_back(*block);
  }
  return blocks;
}

/// The settings checked them already; an entry that is no block is an error here, too.
Result<std::vector<AddressBlock>> blocked_blocks(const EgressRules& rules) {
  std::vector<AddressBlock> blocks;
  for (const auto& address : rules.blocked) {
    const auto block = parse_address_block(address);
    if (!block || blocks.size() == blocked_addresses_max) {
      return Error{
          ErrorCode::invalid_input,
          "operator.blocked_addresses: " + (block ? "too many addresses" : block.error().message)};
    }
    blocks.push_back(*block);
  }
  return blocks;
}

bool opens_ipv6(const EgressRules& rules, const std::vector<AddressBlock>& allow) {
  if (rules.kind == EgressRules::Kind::metadata_only) return rules.deny_link_local_and_metadata;
  return std::any_of(allow.begin(), allow.end(), [](const AddressBlock& block) {
    return block.family == AddressBlock::Family::ipv6;
  });
}

/// A block of our own making.
AddressBlock fixed_block(std::string_view text) {
  return *parse_address_block(text);
}

}  // namespace

Result<std::string> egress_ruleset(const EgressRules& rules) {
  const auto allow = blocks_of(rules);
  if (!allow) return allow.error();
  const auto blocked = blocked_blocks(rules);
  if (!blocked) return blocked.error();
  std::string text =
      "table inet checkstack_egress {\n"
      "  chain output {\n"
      "    type filter hook output priority 0; policy accept;\n";
  text += no_stations;
  if (opens_ipv6(rules, *allow)) text += neighbour_discovery;
  if (rules.deny_link_local_and_metadata) {
    add_rule(text, "ip", "169.254.0.0/16", "drop");
    add_rule(text, "ip6", "fe80::/10, fc00::/7", "drop");
  }
  Entries never;
  for (std::size_t i = 0; i < blocked->size(); ++i) {
    never.add(rules.blocked[i], (*blocked)[i].family);
  }
  add_rule(text, "ip", never.ipv4, "drop");
  add_rule(text, "ip6", never.ipv6, "drop");
  if (rules.kind == EgressRules::Kind::allowlist) {
    Entries entries;
    for (std::size_t i = 0; i < rules.allow.size(); ++i) {
      entries.add(rules.allow[i], (*allow)[i].family);
    }
    add_rule(text, "ip", "127.0.0.0/8", "accept");
    add_rule(text, "ip6", "::1/128", "accept");
    add_rule(text, "ip", entries.ipv4, "accept");
    add_rule(text, "ip6", entries.ipv6, "accept");
    text += "    drop\n";
  }
  return text += "  }\n}";
}

Result<PacketFilter> packet_filter(const EgressRules& rules) {
  const auto allow = blocks_of(rules);
  if (!allow) return allow.error();
  const auto blocked = blocked_blocks(rules);
  if (!blocked) return blocked.error();
  PacketFilter filter;
  const auto add = [&filter](const AddressBlock& block, FilterRule::Verdict verdict) {
    filter.rules.push_back({FilterRule::Match::destination, verdict, block});
  };
  for (const auto match : {FilterRule::Match::ip_options, FilterRule::Match::routing_header}) {
    filter.rules.push_back({match, FilterRule::Verdict::drop, {}});
  }
  if (opens_ipv6(rules, *allow)) {
    filter.rules.push_back(
        {FilterRule::Match::neighbour_discovery, FilterRule::Verdict::accept, {}});
  }
  if (rules.deny_link_local_and_metadata) {
    for (const auto* text : {"169.254.0.0/16", "fe80::/10", "fc00::/7"}) {
      add(fixed_block(text), FilterRule::Verdict::drop);
    }
  }
  for (const auto& block : *blocked) add(block, FilterRule::Verdict::drop);
  if (rules.kind == EgressRules::Kind::allowlist) {
    for (const auto* text : {"127.0.0.0/8", "::1/128"}) {
      add(fixed_block(text), FilterRule::Verdict::accept);
    }
    for (const auto& block : *allow) add(block, FilterRule::Verdict::accept);
    filter.rules.push_back({FilterRule::Match::everything, FilterRule::Verdict::drop, {}});
  }
  return filter;
}

bool opens_ipv6(const PacketFilter& filter) {
  return std::any_of(filter.rules.begin(), filter.rules.end(), [](const FilterRule& rule) {
    return rule.match == FilterRule::Match::neighbour_discovery;
  });
}

}  // namespace satellite::sandbox
