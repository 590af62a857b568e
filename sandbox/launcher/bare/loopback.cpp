// Same rules as script_child.cpp: no libc, no allocation; compiled into the agent and,
// freestanding, into the forwarder program.
#include "sandbox/launcher/bare/loopback.hpp"

#include "sandbox/launcher/bare/raw_syscall.hpp"
#include "sandbox/launcher/bare/socket_message.hpp"

#include <asm/errno.h>
#include <asm/socket.h>
#include <linux/fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/time_types.h>

namespace satellite::sandbox::bare {
namespace {

// linux/inet_diag.h of Debian 12 has it; older ones may not.
constexpr std::uint16_t attribute_only_ipv6 = 11;  // INET_DIAG_SKV6ONLY
constexpr std::uint32_t loopback4 = 0x7f00'0001;
constexpr std::uint8_t tcp_listens = 10, protocol_tcp = 6;

std::uint16_t from_network(std::uint16_t number) {
  return __builtin_bswap16(number);
}
std::uint32_t from_network(std::uint32_t number) {
  return __builtin_bswap32(number);
}

template <typename Part>
Part read_part(const char* bytes) {
  Part part;
  __builtin_memcpy(&part, bytes, sizeof(part));
  return part;
}

bool takes_only_ipv6(const char* attributes, std::size_t size) {
  std::size_t at = 0;
  while (size - at > sizeof(nlattr)) {
    const auto head = read_part<nlattr>(attributes + at);
    if (head.nla_len < sizeof(nlattr) || head.nla_len > size - at) return false;
    if (head.nla_type == attribute_only_ipv6 && head.nla_len > sizeof(nlattr)) {
      return attributes[at + sizeof(nlattr)] != 0;
    }
    const std::size_t whole = NLA_ALIGN(head.nla_len);
    if (whole > size - at) return false;
    at += whole;
  }
  return false;
}

constexpr std::size_t answer_size_max = 32U << 10U;  // what the kernel fills at a time
alignas(8) char answers[answer_size_max];

}  // namespace

HostListener read_listener(const char* answer, std::size_t size) {
  if (size < sizeof(inet_diag_msg)) return {};
  const auto socket = read_part<inet_diag_msg>(answer);
  const bool has_room = socket.idiag_rqueue <= socket.idiag_wqueue;
  if (socket.idiag_state != tcp_listens || !has_room) return {};
  HostListener listener;
  listener.port = from_network(socket.id.idiag_sport);
  std::uint32_t address[4];
  for (int i = 0; i < 4; ++i) address[i] = from_network(socket.id.idiag_src[i]);
  if (socket.idiag_family == family_ipv4) {
    listener.ipv4 = address[0] == 0 || address[0] == loopback4;
    return listener;
  }
  if (socket.idiag_family != family_ipv6) return {};
  const bool is_upper_zero = address[0] == 0 && address[1] == 0;
  const bool is_any = is_upper_zero && address[2] == 0 && address[3] == 0;
  const bool is_own = is_upper_zero && address[2] == 0 && address[3] == 1;
  const bool is_mapped =
      is_upper_zero && address[2] == 0xffff && (address[3] == 0 || address[3] == loopback4);
  listener.ipv6 = is_any || is_own;
  const bool takes_both =
      is_any && !takes_only_ipv6(answer + sizeof(inet_diag_msg), size - sizeof(inet_diag_msg));
  listener.ipv4 = takes_both || is_mapped;
  return listener;
}

DumpReading read_listeners(const char* answer, std::size_t size, std::uint32_t sequence,
                           const Place* places, bool* found, int count) {
  while (size >= sizeof(nlmsghdr)) {
    const auto head = read_part<nlmsghdr>(answer);
    if (head.nlmsg_len < sizeof(nlmsghdr) || head.nlmsg_len > size) return DumpReading::failed;
    const char* const payload = answer + sizeof(nlmsghdr);
    const std::size_t payload_size = head.nlmsg_len - sizeof(nlmsghdr);
    if (head.nlmsg_seq == sequence) {
      if (head.nlmsg_type == NLMSG_ERROR) return DumpReading::failed;
      if (head.nlmsg_type == NLMSG_DONE) {
        const bool is_well = payload_size < sizeof(int) || read_part<int>(payload) == 0;
        return is_well ? DumpReading::complete : DumpReading::failed;
      }
      const HostListener listener = read_listener(payload, payload_size);
      for (int i = 0; i < count; ++i) found[i] = found[i] || listener.takes(places[i]);
    }
    const std::size_t whole = NLMSG_ALIGN(head.nlmsg_len);
    if (whole >= size) break;
    answer += whole;
    size -= whole;
  }
  return DumpReading::goes_on;
}

long HostListeners::open() {
  const long socket = call(__NR_socket, family_netlink, socket_raw | O_CLOEXEC, NETLINK_SOCK_DIAG);
  // The kernel answers within the call.
  const __kernel_old_timeval two_seconds{2, 0};
  if (socket >= 0) {
    call(__NR_setsockopt, socket, SOL_SOCKET, SO_RCVTIMEO_OLD, address(&two_seconds),
         sizeof(two_seconds));
  }
  return socket;
}

bool HostListeners::look(const Place* places, bool* found, int count) {
  for (int i = 0; i < count; ++i) found[i] = false;
  if (!ask(family_ipv4, places, found, count)) return false;
  // A kernel without IPv6 has no sockets of it either.
  ask(family_ipv6, places, found, count);
  return true;
}

bool HostListeners::ask(int family, const Place* places, bool* found, int count) {
  struct {
    nlmsghdr head;
    inet_diag_req_v2 wanted;
  } question{};
  question.head.nlmsg_len = sizeof(question);
  question.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.head.nlmsg_seq = ++sequence_;
  question.wanted.sdiag_family = static_cast<std::uint8_t>(family);
  question.wanted.sdiag_protocol = protocol_tcp;
  question.wanted.idiag_states = 1U << tcp_listens;
  const long sent = call(__NR_sendto, socket_, address(&question), sizeof(question), 0, 0, 0);
  if (sent != static_cast<long>(sizeof(question))) return false;
  for (;;) {
    // With this flag it tells the size that the datagram had. Only the kernel can send any here.
    const long got =
        call(__NR_recvfrom, socket_, address(answers), sizeof(answers), msg_trunc, 0, 0);
    if (got == -EINTR) continue;
    if (got < 0 || got > static_cast<long>(sizeof(answers))) return false;
    const auto reading =
        read_listeners(answers, static_cast<std::size_t>(got), sequence_, places, found, count);
    if (reading != DumpReading::goes_on) return reading == DumpReading::complete;
  }
}

}  // namespace satellite::sandbox::bare
