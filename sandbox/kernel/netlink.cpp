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

/// The errno of an acknowledgement or of the end of a dump, 0 = done.
int error_of(std::string_view payload) {
  constexpr int errno_max = 4'095;
  int error = 0;
  if (payload.size() < sizeof(error)) return EBADMSG;
  std::memcpy(&error, payload.data(), sizeof(error));
  return error > 0 || error < -errno_max ? EBADMSG : -error;
}

/// What one message says; the caller has seen that it belongs to the question.
AnswerReading reading_of(const nlmsghdr& header, std::string_view payload, std::uint32_t last,
                         const VisitAnswer& visit) {
  if (header.nlmsg_type == NLMSG_NOOP) return {};
  if (header.nlmsg_type == NLMSG_ERROR || header.nlmsg_type == NLMSG_DONE) {
    // The number at the end of a dump came later than the dump itself; kernels differ.
    const bool says_how = header.nlmsg_type == NLMSG_ERROR || !payload.empty();
    const int error = says_how ? error_of(payload) : 0;
    return {error != 0 || header.nlmsg_seq == last, error};
  }
  // What was asked about changed meanwhile: some of it may be missing.
  if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) return {true, EAGAIN};
  visit(header.nlmsg_type, payload);
  return {};
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

AnswerReading read_answer(std::string_view datagram, SequenceRange asked,
                          const VisitAnswer& visit) {
  while (!datagram.empty()) {
    if (datagram.size() < sizeof(nlmsghdr)) return {true, EBADMSG};
    const nlmsghdr header = header_of(datagram);
    if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > datagram.size()) {
      return {true, EBADMSG};
    }
    const auto payload = datagram.substr(sizeof(header), header.nlmsg_len - sizeof(header));
    datagram.remove_prefix(std::min(datagram.size(), aligned(header.nlmsg_len)));
    if (!asked.contains(header.nlmsg_seq)) continue;
    const auto reading = reading_of(header, payload, asked.last, visit);
    if (reading.complete) return reading;
  }
  return {};
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

/// Reads datagrams until the answer is complete, or the kernel refuses.
Result<void> NetlinkSocket::take_answer(SequenceRange asked, const VisitAnswer& visit) const {
  std::string buffer(answer_size_max, '\0');
  for (;;) {
    sockaddr_nl sender{};
    socklen_t sender_size = sizeof(sender);
    // MSG_TRUNC gives the size that the datagram had, also where the buffer is too small for it.
    const auto size = ::recvfrom(fd_.get(), buffer.data(), buffer.size(), MSG_TRUNC,
                                 reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return error_from_errno("the kernel's answer", errno);
    if (sender.nl_pid != 0) continue;  // only the kernel has this number
    const auto length = static_cast<std::size_t>(size);
    if (length > buffer.size()) return error_from_errno("the kernel's answer", EMSGSIZE);
    const auto reading = read_answer(std::string_view(buffer.data(), length), asked, visit);
    if (reading.error_number != 0) {
      return error_from_errno("the kernel refuses", reading.error_number);
    }
    if (reading.complete) return {};
  }
}

Result<void> NetlinkSocket::request(NetlinkMessage message) {
  message.set_sequence(++sequence_);
  const auto sent = send(message.bytes());
  if (!sent) return sent.error();
  return take_answer({sequence_, sequence_}, [](std::uint16_t, std::string_view) {});
}

Result<void> NetlinkSocket::batch(std::span<NetlinkMessage> messages) {
  std::string all;
  const std::uint32_t first = ++sequence_;
  auto begin = batch_mark(NFNL_MSG_BATCH_BEGIN);
  begin.set_sequence(first);
  all += begin.bytes();
  for (auto& message : messages) {
    message.set_sequence(++sequence_);
    all += message.bytes();
  }
  // The end is never acknowledged, so that it can share the number of the last message, which is.
  auto end = batch_mark(NFNL_MSG_BATCH_END);
  end.set_sequence(sequence_);
  all += end.bytes();
  const auto sent = send(all);
  if (!sent) return sent.error();
  return take_answer({first, sequence_}, [](std::uint16_t, std::string_view) {});
}

Result<void> NetlinkSocket::dump(NetlinkMessage question, const VisitAnswer& visit) {
  question.set_sequence(++sequence_);
  const auto sent = send(question.bytes());
  if (!sent) return sent.error();
  return take_answer({sequence_, sequence_}, visit);
}

}  // namespace satellite::sandbox::kernel
