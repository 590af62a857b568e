#include "sandbox/launcher/network/packet_filter_load.hpp"

#include "sandbox/kernel/netlink.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <array>
#include <utility>
#include <vector>

namespace satellite::sandbox {
namespace {

using kernel::NetlinkMessage;

constexpr std::string_view table_name = "checkstack_egress";
constexpr std::string_view chain_name = "output";
constexpr std::uint32_t value_register = NFT_REG_1;
constexpr std::uint8_t hop_limit_of_this_link = 255;

struct PacketField {
  std::uint32_t base = NFT_PAYLOAD_NETWORK_HEADER, offset = 0, length = 0;
};
constexpr PacketField ipv4_destination{NFT_PAYLOAD_NETWORK_HEADER, 16, 4};
constexpr PacketField ipv6_destination{NFT_PAYLOAD_NETWORK_HEADER, 24, 16};
constexpr PacketField ipv4_length{NFT_PAYLOAD_NETWORK_HEADER, 0, 1};
constexpr PacketField ipv4_protocol{NFT_PAYLOAD_NETWORK_HEADER, 9, 1};
constexpr PacketField ipv6_hop_limit{NFT_PAYLOAD_NETWORK_HEADER, 7, 1};
constexpr PacketField icmpv6_type{NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1};

NetlinkMessage nft_message(int type, unsigned flags) {
  NetlinkMessage message(static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8U) | type),
                         static_cast<std::uint16_t>(NLM_F_REQUEST | flags));
  message.fixed(nfgenmsg{NFPROTO_INET, NFNETLINK_V0, 0});
  return message;
}

/// The expressions of one rule, in the order in which the kernel evaluates them.
class Expressions {
 public:
  explicit Expressions(NetlinkMessage& rule)
      : rule_(rule), list_(rule.begin_nested(NFTA_RULE_EXPRESSIONS)) {}
  void end() { rule_.end_nested(list_); }

  void load_meta(std::uint32_t key) {
    expression("meta", [&] {
      rule_.network_number(NFTA_META_KEY, key);
      rule_.network_number(NFTA_META_DREG, value_register);
    });
  }
  void load(const PacketField& field) {
    expression("payload", [&] {
      rule_.network_number(NFTA_PAYLOAD_DREG, value_register);
      rule_.network_number(NFTA_PAYLOAD_BASE, field.base);
      rule_.network_number(NFTA_PAYLOAD_OFFSET, field.offset);
      rule_.network_number(NFTA_PAYLOAD_LEN, field.length);
    });
  }
  /// Whether a packet of IPv6 has an extension header of this kind: 1 or 0.
  void load_has_header(std::uint8_t kind) {
    expression("exthdr", [&] {
      rule_.network_number(NFTA_EXTHDR_DREG, value_register);
      rule_.number(NFTA_EXTHDR_TYPE, kind);
      rule_.network_number(NFTA_EXTHDR_OFFSET, 0);
      rule_.network_number(NFTA_EXTHDR_LEN, 1);
      rule_.network_number(NFTA_EXTHDR_FLAGS, NFT_EXTHDR_F_PRESENT);
    });
  }
  void mask(std::span<const std::byte> bits) {
    const std::vector<std::byte> zeros(bits.size());
    expression("bitwise", [&] {
      rule_.network_number(NFTA_BITWISE_SREG, value_register);
      rule_.network_number(NFTA_BITWISE_DREG, value_register);
      rule_.network_number(NFTA_BITWISE_LEN, static_cast<std::uint32_t>(bits.size()));
      value(NFTA_BITWISE_MASK, bits);
      value(NFTA_BITWISE_XOR, zeros);
    });
  }
  void compare(nft_cmp_ops operation, std::span<const std::byte> with) {
    expression("cmp", [&] {
      rule_.network_number(NFTA_CMP_SREG, value_register);
      rule_.network_number(NFTA_CMP_OP, operation);
      value(NFTA_CMP_DATA, with);
    });
  }
  void compare(nft_cmp_ops operation, std::uint8_t with) {
    compare(operation, std::as_bytes(std::span(&with, 1)));
  }
  void decide(FilterRule::Verdict verdict) {
    expression("immediate", [&] {
      rule_.network_number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
      const auto data = rule_.begin_nested(NFTA_IMMEDIATE_DATA);
      const auto inner = rule_.begin_nested(NFTA_DATA_VERDICT);
      rule_.network_number(NFTA_VERDICT_CODE,
                           verdict == FilterRule::Verdict::accept ? NF_ACCEPT : NF_DROP);
      rule_.end_nested(inner);
      rule_.end_nested(data);
    });
  }

 private:
  template <typename Fill>
  void expression(std::string_view name, Fill fill) {
    const auto element = rule_.begin_nested(NFTA_LIST_ELEM);
    rule_.text(NFTA_EXPR_NAME, name);
    const auto data = rule_.begin_nested(NFTA_EXPR_DATA);
    fill();
    rule_.end_nested(data);
    rule_.end_nested(element);
  }
  void value(std::uint16_t type, std::span<const std::byte> bytes) {
    const auto data = rule_.begin_nested(type);
    rule_.attribute(NFTA_DATA_VALUE, bytes);
    rule_.end_nested(data);
  }

  NetlinkMessage& rule_;
  std::size_t list_;
};

void match_destination(Expressions& expressions, const AddressBlock& block) {
  const bool ipv4 = block.family == AddressBlock::Family::ipv4;
  expressions.load_meta(NFT_META_NFPROTO);
  expressions.compare(NFT_CMP_EQ, ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
  if (block.prefix_length == 0) return;  // every address of the family
  const PacketField& field = ipv4 ? ipv4_destination : ipv6_destination;
  expressions.load(field);
  if (block.prefix_length < field.length * 8) {
    std::array<std::byte, 16> bits{};
    for (unsigned bit = 0; bit < block.prefix_length; ++bit) {
      bits[bit / 8] |= std::byte{0x80} >> static_cast<int>(bit % 8);
    }
    expressions.mask(std::span(bits).first(field.length));
  }
  expressions.compare(NFT_CMP_EQ, std::as_bytes(std::span(block.bytes)).first(field.length));
}

void match_neighbour_discovery(Expressions& expressions) {
  expressions.load_meta(NFT_META_NFPROTO);
  expressions.compare(NFT_CMP_EQ, NFPROTO_IPV6);
  expressions.load_meta(NFT_META_L4PROTO);
  expressions.compare(NFT_CMP_EQ, IPPROTO_ICMPV6);
  static_assert(ND_NEIGHBOR_ADVERT == ND_NEIGHBOR_SOLICIT + 1);
  expressions.load(icmpv6_type);
  expressions.compare(NFT_CMP_GTE, ND_NEIGHBOR_SOLICIT);
  expressions.compare(NFT_CMP_LTE, ND_NEIGHBOR_ADVERT);
  expressions.load(ipv6_hop_limit);
  expressions.compare(NFT_CMP_EQ, hop_limit_of_this_link);
}

void match_ip_options(Expressions& expressions) {
  constexpr std::uint8_t words_without_options = 5;
  constexpr std::byte length_bits[]{std::byte{0x0f}};
  expressions.load_meta(NFT_META_NFPROTO);
  expressions.compare(NFT_CMP_EQ, NFPROTO_IPV4);
  expressions.load(ipv4_protocol);
  expressions.compare(NFT_CMP_NEQ, IPPROTO_IGMP);
  expressions.load(ipv4_length);
  expressions.mask(length_bits);
  expressions.compare(NFT_CMP_NEQ, words_without_options);
}

void match_routing_header(Expressions& expressions) {
  expressions.load_meta(NFT_META_NFPROTO);
  expressions.compare(NFT_CMP_EQ, NFPROTO_IPV6);
  expressions.load_has_header(IPPROTO_ROUTING);
  expressions.compare(NFT_CMP_EQ, std::uint8_t{1});
}

void match(Expressions& expressions, const FilterRule& rule) {
  switch (rule.match) {
    case FilterRule::Match::destination:
      return match_destination(expressions, rule.destination);
    case FilterRule::Match::neighbour_discovery:
      return match_neighbour_discovery(expressions);
    case FilterRule::Match::ip_options:
      return match_ip_options(expressions);
    case FilterRule::Match::routing_header:
      return match_routing_header(expressions);
    case FilterRule::Match::everything:
      break;
  }
}

NetlinkMessage rule_message(const FilterRule& rule, unsigned flags) {
  NetlinkMessage message = nft_message(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND | flags);
  message.text(NFTA_RULE_TABLE, table_name);
  message.text(NFTA_RULE_CHAIN, chain_name);
  Expressions expressions(message);
  match(expressions, rule);
  expressions.decide(rule.verdict);
  expressions.end();
  return message;
}

NetlinkMessage chain_message() {
  NetlinkMessage message = nft_message(NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
  message.text(NFTA_CHAIN_TABLE, table_name);
  message.text(NFTA_CHAIN_NAME, chain_name);
  const auto hook = message.begin_nested(NFTA_CHAIN_HOOK);
  message.network_number(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
  message.network_number(NFTA_HOOK_PRIORITY, 0);
  message.end_nested(hook);
  message.network_number(NFTA_CHAIN_POLICY, NF_ACCEPT);
  message.text(NFTA_CHAIN_TYPE, "filter");
  return message;
}

/// The attributes of a message, which stand behind its two headers.
std::string_view attributes_of(const NetlinkMessage& message) {
  return message.bytes().substr(sizeof(nlmsghdr) + sizeof(nfgenmsg));
}

Result<std::vector<std::string>> dump(kernel::NetlinkSocket& socket, int question, int answer) {
  NetlinkMessage message(static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8U) | question),
                         NLM_F_REQUEST | NLM_F_DUMP);
  message.fixed(nfgenmsg{NFPROTO_UNSPEC, NFNETLINK_V0, 0});
  std::vector<std::string> found;
  const auto done =
      socket.dump(std::move(message), [&](std::uint16_t type, std::string_view payload) {
        if (type == ((NFNL_SUBSYS_NFTABLES << 8U) | answer) && payload.size() > sizeof(nfgenmsg)) {
          found.emplace_back(payload.substr(sizeof(nfgenmsg)));
        }
      });
  if (!done) return done.error();
  return found;
}

Error not_what_was_loaded(const std::string& what) {
  return Error{ErrorCode::internal, "the kernel's ruleset is not the one asked for: " + what};
}

}  // namespace

Result<void> load_packet_filter(const PacketFilter& filter) {
  if (filter.rules.empty()) return Error{ErrorCode::invalid_input, "a filter without rules"};
  auto socket = kernel::NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return socket.error();
  std::vector<NetlinkMessage> messages;
  messages.push_back(nft_message(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL));
  messages.back().text(NFTA_TABLE_NAME, table_name);
  messages.push_back(chain_message());
  for (std::size_t i = 0; i < filter.rules.size(); ++i) {
    const bool last = i + 1 == filter.rules.size();
    messages.push_back(rule_message(filter.rules[i], last ? NLM_F_ACK : 0));
  }
  return socket->batch(messages);
}

Result<void> check_packet_filter(const PacketFilter& filter) {
  auto socket = kernel::NetlinkSocket::open(NETLINK_NETFILTER);
  if (!socket) return socket.error();
  const auto chains = dump(*socket, NFT_MSG_GETCHAIN, NFT_MSG_NEWCHAIN);
  if (!chains) return chains.error();
  if (chains->size() != 1 ||
      !kernel::holds_all_of(chains->front(), attributes_of(chain_message()))) {
    return not_what_was_loaded(std::to_string(chains->size()) + " chains");
  }
  const auto rules = dump(*socket, NFT_MSG_GETRULE, NFT_MSG_NEWRULE);
  if (!rules) return rules.error();
  if (rules->size() != filter.rules.size()) {
    return not_what_was_loaded(std::to_string(rules->size()) + " rules instead of " +
                               std::to_string(filter.rules.size()));
  }
  for (std::size_t i = 0; i < rules->size(); ++i) {
    const NetlinkMessage asked = rule_message(filter.rules[i], 0);
    if (!kernel::holds_all_of((*rules)[i], attributes_of(asked))) {
      return not_what_was_loaded("rule " + std::to_string(i + 1));
    }
  }
  return {};
}

}  // namespace satellite::sandbox
