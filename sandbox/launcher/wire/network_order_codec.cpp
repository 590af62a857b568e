#include "sandbox/launcher/wire/network_order_codec.hpp"

namespace satellite::sandbox {
namespace {

static_assert(static_cast<int>(FilterRule::Verdict::accept) == 1);
static_assert(static_cast<int>(AddressBlock::Family::ipv6) == 1);

FilterRule read_filter_rule(ByteReader& in) {
  FilterRule rule;
  const auto match = in.number<std::uint8_t>();
  if (match > static_cast<std::uint8_t>(FilterRule::Match::everything)) in.fail();
  rule.match = static_cast<FilterRule::Match>(match);
  rule.verdict = in.flag() ? FilterRule::Verdict::accept : FilterRule::Verdict::drop;
  rule.destination.family = in.flag() ? AddressBlock::Family::ipv6 : AddressBlock::Family::ipv4;
  for (auto& byte : rule.destination.bytes) byte = in.number<std::uint8_t>();
  rule.destination.prefix_length = in.number<std::uint32_t>();
  const bool ipv4 = rule.destination.family == AddressBlock::Family::ipv4;
  if (rule.destination.prefix_length > (ipv4 ? 32U : 128U)) in.fail();
  return rule;
}

}  // namespace

void write_network(ByteWriter& out, const std::optional<NetworkOrder>& network) {
  out.number(static_cast<std::uint8_t>(network.has_value()));
  if (!network) return;
  out.number(static_cast<std::uint32_t>(network->egress));
  out.number(static_cast<std::uint32_t>(network->filter.rules.size()));
  for (const auto& rule : network->filter.rules) {
    out.number(static_cast<std::uint8_t>(rule.match));
    out.number(static_cast<std::uint8_t>(rule.verdict));
    out.number(static_cast<std::uint8_t>(rule.destination.family));
    for (const auto byte : rule.destination.bytes) out.number(byte);
    out.number(static_cast<std::uint32_t>(rule.destination.prefix_length));
  }
}

std::optional<NetworkOrder> read_network(ByteReader& in) {
  if (!in.flag()) return std::nullopt;
  NetworkOrder network;
  const auto egress = in.number<std::uint32_t>();
  if (egress != static_cast<std::uint32_t>(Egress::macvlan) &&
      egress != static_cast<std::uint32_t>(Egress::slirp4netns)) {
    in.fail();
  }
  network.egress = static_cast<Egress>(egress);
  constexpr std::size_t rule_size = 3 + 16 + sizeof(std::uint32_t);
  network.filter.rules.resize(in.count(filter_rules_max, rule_size));
  for (auto& rule : network.filter.rules) rule = read_filter_rule(in);
  if (network.filter.rules.empty()) in.fail();
  return network;
}

}  // namespace satellite::sandbox
