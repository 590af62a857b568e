#include "sandbox/planning/egress_rules.hpp"

#include "sandbox/planning/address_block.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string_view>
#include <tuple>

namespace satellite::sandbox {
namespace {

struct Entry {
  std::string text;
  AddressBlock block;
  bool covered = false;
};

/// Marks every entry that lies within another one. Sorted by first address and then by width, an
/// entry can only lie within the last one that does not.
void mark_covered(std::vector<Entry>& entries) {
  std::vector<std::size_t> order(entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&entries](std::size_t a, std::size_t b) {
    const AddressBlock& left = entries[a].block;
    const AddressBlock& right = entries[b].block;
    return std::tie(left.family, left.bytes, left.prefix_length) <
           std::tie(right.family, right.bytes, right.prefix_length);
  });
  const AddressBlock* widest = nullptr;
  for (const std::size_t index : order) {
    Entry& entry = entries[index];
    entry.covered = widest != nullptr && contains(*widest, entry.block);
    if (!entry.covered) widest = &entry.block;
  }
}

std::string joined(const std::vector<Entry>& entries, AddressBlock::Family family) {
  std::string list;
  for (const Entry& entry : entries) {
    if (entry.block.family != family || entry.covered) continue;
    if (!list.empty()) list += ", ";
    list += entry.text;
  }
  return list;
}

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

}  // namespace

Result<std::string> egress_ruleset(const EgressRules& rules) {
  std::string text =
      "table inet checkstack_egress {\n"
      "  chain output {\n"
      "    type filter hook output priority 0; policy accept;\n";
  if (rules.deny_link_local_and_metadata) {
    add_rule(text, "ip", "169.254.0.0/16", "drop");
    add_rule(text, "ip6", "fe80::/10, fc00::/7", "drop");
  }
  if (rules.kind == EgressRules::Kind::allowlist) {
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < rules.allow.size(); ++i) {
      auto block = parse_address_block(rules.allow[i]);
      if (!block) {
        return Error{ErrorCode::invalid_input,
                     "network.allow[" + std::to_string(i) + "]: " + block.error().message};
      }
      entries.push_back(Entry{rules.allow[i], *block});
    }
    mark_covered(entries);
    add_rule(text, "ip", "127.0.0.0/8", "accept");
    add_rule(text, "ip6", "::1/128", "accept");
    add_rule(text, "ip", joined(entries, AddressBlock::Family::ipv4), "accept");
    add_rule(text, "ip6", joined(entries, AddressBlock::Family::ipv6), "accept");
    text += "    drop\n";
  }
  return text += "  }\n}";
}

}  // namespace satellite::sandbox
