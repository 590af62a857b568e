#include "sandbox/planning/egress_rules.hpp"

#include "sandbox/planning/address_block.hpp"

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
    Entries entries;
    for (std::size_t i = 0; i < rules.allow.size(); ++i) {
      const auto block = parse_address_block(rules.allow[i]);
      if (!block) {
        return Error{ErrorCode::invalid_input,
                     "network.allow[" + std::to_string(i) + "]: " + block.error().message};
      }
      entries.add(rules.allow[i], block->family);
    }
    add_rule(text, "ip", "127.0.0.0/8", "accept");
    add_rule(text, "ip6", "::1/128", "accept");
    add_rule(text, "ip", entries.ipv4, "accept");
    add_rule(text, "ip6", entries.ipv6, "accept");
    text += "    drop\n";
  }
  return text += "  }\n}";
}

}  // namespace satellite::sandbox
