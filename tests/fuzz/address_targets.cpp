#include "sandbox/host/identity.hpp"
#include "sandbox/policy/address_block.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

#include <arpa/inet.h>

namespace satellite::fuzz {
namespace {

using namespace satellite::sandbox;

std::string text_of(const AddressBlock& block) {
  char text[INET6_ADDRSTRLEN] = {};
  const bool ipv4 = block.family == AddressBlock::Family::ipv4;
  ::inet_ntop(ipv4 ? AF_INET : AF_INET6, block.bytes.data(), text, sizeof(text));
  return std::string(text) + '/' + std::to_string(block.prefix_length);
}

Broken check_block(const std::string& entry) {
  const auto block = parse_address_block(entry);
  if (!block) return unless_fit_for_log(block.error());
  const auto again = parse_address_block(text_of(*block));
  if (!again || *again != *block) return "a block written again is another one: " + entry;
  if (!contains(*block, *block)) return "a block that does not hold itself";
  return std::nullopt;
}

Broken check_range(const std::string& entry) {
  const auto range = parse_identity_range(entry);
  if (!range) return unless_fit_for_log(range.error());
  if (range->first == 0 || range->count == 0 || range->count > identity_count_max ||
      range->last() < range->first || range->last() == 0xffff'ffff) {
    return "a range that holds root, nobody or more than there is";
  }
  const auto again =
      parse_identity_range(std::to_string(range->first) + ':' + std::to_string(range->count));
  if (!again || *again != *range) return "a range written again is another one";
  return std::nullopt;
}

bool is_within(const std::string& entry, const std::vector<std::string>& list) {
  const auto block = parse_address_block(entry);
  return std::any_of(list.begin(), list.end(), [&](const std::string& candidate) {
    if (candidate == entry) return true;
    const auto whole = parse_address_block(candidate);
    return block && whole && contains(*whole, *block);
  });
}

}  // namespace

Broken check_address_block_target(std::string_view input) {
  const auto [first, second] = divided(input);
  const auto a = lines_of(first), b = lines_of(second);
  for (const auto* list : {&a, &b}) {
    for (const auto& entry : *list) {
      if (auto broken = check_block(entry)) return broken;
      if (auto broken = check_range(entry)) return broken;
    }
  }
  const auto both = permitted_by_both(a, b);
  // One entry that is no address closes its list, and so the list that both permit.
  const auto is_closed = [](const std::vector<std::string>& list) {
    return std::any_of(list.begin(), list.end(),
                       [](const auto& entry) { return !parse_address_block(entry); });
  };
  if (is_closed(both) != (is_closed(a) || is_closed(b))) return "a broken entry was lost or made";
  for (const auto& entry : both) {
    if (!is_closed(both) && (!is_within(entry, a) || !is_within(entry, b)))
      return "more than both permit: " + entry;
  }
  for (const auto& entry : a) {
    if (is_within(entry, b) && !is_within(entry, both)) return "less than both permit: " + entry;
  }
  return std::nullopt;
}

}  // namespace satellite::fuzz
