#include "sandbox/kernel/netlink.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace satellite::sandbox::kernel {
namespace {

constexpr timeval answer_time_max{2, 0};
constexpr int request_size_max = 1 << 20;  // a batch is one message; the kernel may allow less
constexpr std::size_t answer_size_max = 32U << 10U;

std::size_t aligned(std::size_t size) {
  return (size + NLMSG_ALIGNTO - 1) & ~std::size_t{NLMSG_ALIGNTO - 1};
}

nlmsghdr header_of(std::string_view bytes) {
  nlmsghdr header{};
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header;
}

/// Visits the messages of one datagram; false when the last of them was the end of a dump.
bool for_each_message(std::string_view bytes,
                      const std::function<bool(const nlmsghdr&, std::string_view)>& visit) {
  while (bytes.size() >= sizeof(nlmsghdr)) {
    const nlmsghdr header = header_of(bytes);
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > bytes.size()) return false;
    const auto payload = bytes.substr(sizeof(header), header.nlmsg_len - sizeof(header));
    if (!visit(header, payload)) return false;
    bytes.remove_prefix(std::min(bytes.size(), aligned(header.nlmsg_len)));
  }
  return true;
}

/// The errno of an acknowledgement, 0 = done.
int error_of(std::string_view payload) {
  int error = 0;
  if (payload.size() < sizeof(error)) return EBADMSG;
  std::memcpy(&error, payload.data(), sizeof(error));
  return -error;
}

NetlinkMessage batch_mark(std::uint16_t type) {
  NetlinkMessage mark(type, NLM_F_REQUEST);
  mark.fixed(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)});
  return mark;
}

struct Attribute {
  std::uint16_t type = 0;
  bool nested = false;
  std::string_view value;
};

bool attributes_of(std::string_view bytes, std::vector<Attribute>& all) {
  while (bytes.size() >= sizeof(nlattr)) {
    nlattr head{};
    std::memcpy(&head, bytes.data(), sizeof(head));
    if (head.nla_len < sizeof(head) || head.nla_len > bytes.size()) return false;
    all.push_back({static_cast<std::uint16_t>(head.nla_type & NLA_TYPE_MASK),
                   (head.nla_type & NLA_F_NESTED) != 0,
                   bytes.substr(sizeof(head), head.nla_len - sizeof(head))});
    bytes.remove_prefix(std::min(bytes.size(), aligned(head.nla_len)));
  }
  return bytes.empty();
}

bool is_list(const std::vector<Attribute>& attributes) {
  return !attributes.empty() &&
         std::all_of(attributes.begin(), attributes.end(),
                     [](const Attribute& one) { return one.type == NFTA_LIST_ELEM && one.nested; });
}

}  // namespace

NetlinkMessage::NetlinkMessage(std::uint16_t type, std::uint16_t flags) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = flags;
  append(std::as_bytes(std::span(&header, 1)));
}

void NetlinkMessage::append(std::span<const std::byte> bytes) {
  bytes_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  bytes_.resize(aligned(bytes_.size()));
  const auto size = static_cast<std::uint32_t>(bytes_.size());
  std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_len), &size, sizeof(size));
}

NetlinkMessage& NetlinkMessage::attribute(std::uint16_t type, std::span<const std::byte> value) {
  const nlattr head{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
  append(std::as_bytes(std::span(&head, 1)));
  append(value);
  return *this;
}

NetlinkMessage& NetlinkMessage::text(std::uint16_t type, std::string_view value) {
  const std::string closed(value);
  return attribute(type, std::as_bytes(std::span(closed.c_str(), closed.size() + 1)));
}

NetlinkMessage& NetlinkMessage::network_number(std::uint16_t type, std::uint32_t value) {
  return number(type, htonl(value));
}

std::size_t NetlinkMessage::begin_nested(std::uint16_t type) {
  const std::size_t start = bytes_.size();
  attribute(static_cast<std::uint16_t>(type | NLA_F_NESTED), {});
  return start;
}

void NetlinkMessage::end_nested(std::size_t start) {
  const auto size = static_cast<std::uint16_t>(bytes_.size() - start);
  std::memcpy(bytes_.data() + start, &size, sizeof(size));
}

void NetlinkMessage::set_sequence(std::uint32_t sequence) {
  std::memcpy(bytes_.data() + offsetof(nlmsghdr, nlmsg_seq), &sequence, sizeof(sequence));
}

bool for_each_attribute(
    std::string_view bytes,
    const std::function<bool(std::uint16_t type, std::string_view value)>& visit) {
  std::vector<Attribute> all;
  if (!attributes_of(bytes, all)) return false;
  return std::all_of(all.begin(), all.end(),
                     [&](const Attribute& one) { return visit(one.type, one.value); });
}

bool holds_all_of(std::string_view found, std::string_view asked) {
  std::vector<Attribute> there, wanted;
  if (!attributes_of(found, there) || !attributes_of(asked, wanted)) return false;
  if (is_list(wanted) && wanted.size() != there.size()) return false;
  auto from = there.begin();
  for (const auto& one : wanted) {
    // The kernel may answer in another order, but keeps that of list elements.
    if (!is_list(wanted)) from = there.begin();
    const auto match = std::find_if(from, there.end(),
                                    [&](const Attribute& other) { return other.type == one.type; });
    if (match == there.end()) return false;
    if (one.nested ? !holds_all_of(match->value, one.value) : match->value != one.value) {
      return false;
    }
    from = match + 1;
  }
  return true;
}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd) return error_from_errno("open a netlink socket", errno);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &request_size_max, sizeof(request_size_max));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &answer_time_max, sizeof(answer_time_max));
  return NetlinkSocket(std::move(fd));
}

Result<void> NetlinkSocket::send(std::string_view bytes) const {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const auto sent = ::sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                             reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel));
  if (sent != static_cast<ssize_t>(bytes.size())) return error_from_errno("ask the kernel", errno);
  return {};
}

/// Reads answers until `take` says of one that it was the last, or the kernel refuses.
Result<void> NetlinkSocket::read_answers(const TakeAnswer& take) const {
  std::string buffer(answer_size_max, '\0');
  for (;;) {
    const auto size = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return error_from_errno("the kernel's answer", errno);
    int error = 0;
    bool last = false;
    for_each_message(std::string_view(buffer.data(), static_cast<std::size_t>(size)),
                     [&](const nlmsghdr& header, std::string_view payload) {
                       if (header.nlmsg_type == NLMSG_ERROR) error = error_of(payload);
                       last = error != 0 || take(header, payload);
                       return !last;
                     });
    if (error != 0) return error_from_errno("the kernel refuses", error);
    if (last) return {};
  }
}

Result<void> NetlinkSocket::take_acknowledgement(std::uint32_t sequence) const {
  return read_answers([sequence](const nlmsghdr& header, std::string_view) {
    return header.nlmsg_type == NLMSG_ERROR && header.nlmsg_seq == sequence;
  });
}

Result<void> NetlinkSocket::request(NetlinkMessage message) {
  message.set_sequence(++sequence_);
  const auto sent = send(message.bytes());
  if (!sent) return sent.error();
  return take_acknowledgement(sequence_);
}

Result<void> NetlinkSocket::batch(std::span<NetlinkMessage> messages) {
  std::string all;
  const auto add = [&](NetlinkMessage& message) {
    message.set_sequence(++sequence_);
    all += message.bytes();
  };
  auto begin = batch_mark(NFNL_MSG_BATCH_BEGIN);
  auto end = batch_mark(NFNL_MSG_BATCH_END);
  add(begin);
  for (auto& message : messages) add(message);
  const std::uint32_t last = sequence_;
  add(end);
  const auto sent = send(all);
  if (!sent) return sent.error();
  return take_acknowledgement(last);
}

Result<void> NetlinkSocket::dump(
    NetlinkMessage question,
    const std::function<void(std::uint16_t type, std::string_view)>& visit) {
  question.set_sequence(++sequence_);
  const auto sent = send(question.bytes());
  if (!sent) return sent.error();
  return read_answers([&visit](const nlmsghdr& header, std::string_view payload) {
    if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) return true;
    visit(header.nlmsg_type, payload);
    return false;
  });
}

}  // namespace satellite::sandbox::kernel
