#include "sandbox/launcher/network/host_listeners.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <algorithm>
#include <array>
#include <cstring>

namespace satellite::sandbox {
namespace {

// linux/inet_diag.h of Debian 12 has it; older ones may not.
constexpr std::uint16_t attribute_only_ipv6 = 11;  // INET_DIAG_SKV6ONLY
constexpr std::uint32_t loopback4 = 0x7f00'0001;

using Words = std::array<std::uint32_t, 4>;

Words address_of(const inet_diag_msg& socket) {
  Words words{};
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = ntohl(socket.id.idiag_src[i]);
  return words;
}

bool takes_only_ipv6(std::string_view attributes) {
  bool only = false;
  kernel::for_each_attribute(attributes, [&only](std::uint16_t type, std::string_view value) {
    if (type == attribute_only_ipv6) only = !value.empty() && value.front() != '\0';
    return true;
  });
  return only;
}

}  // namespace

void add_listener(std::string_view answer, ListeningPorts& ports) {
  inet_diag_msg socket{};
  if (answer.size() < sizeof(socket)) return;
  std::memcpy(&socket, answer.data(), sizeof(socket));
  const bool has_room = socket.idiag_rqueue <= socket.idiag_wqueue;
  if (socket.idiag_state != TCP_LISTEN || !has_room) return;
  const std::uint16_t port = ntohs(socket.id.idiag_sport);
  const Words address = address_of(socket);
  if (socket.idiag_family == AF_INET) {
    if (address[0] == 0 || address[0] == loopback4) ports.insert({LoopbackFamily::ipv4, port});
    return;
  }
  if (socket.idiag_family != AF_INET6) return;
  const bool is_any = address == Words{};
  const bool is_mapped = address[0] == 0 && address[1] == 0 && address[2] == 0xffff &&
                         (address[3] == 0 || address[3] == loopback4);
  if (is_any || address == Words{0, 0, 0, 1}) ports.insert({LoopbackFamily::ipv6, port});
  const bool takes_both = is_any && !takes_only_ipv6(answer.substr(sizeof(socket)));
  if (takes_both || is_mapped) ports.insert({LoopbackFamily::ipv4, port});
}

Result<ListeningPorts> listening_ports(kernel::NetlinkSocket& diagnosis) {
  ListeningPorts ports;
  for (const std::uint8_t family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    kernel::NetlinkMessage question(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP);
    inet_diag_req_v2 wanted{};
    wanted.sdiag_family = family;
    wanted.sdiag_protocol = IPPROTO_TCP;
    wanted.idiag_states = 1U << TCP_LISTEN;
    question.fixed(wanted);
    const auto asked = diagnosis.dump(
        std::move(question),
        [&ports](std::uint16_t, std::string_view answer) { add_listener(answer, ports); });
    // A kernel without IPv6 has no sockets of it either.
    if (!asked && family == AF_INET) return asked.error();
  }
  return ports;
}

}  // namespace satellite::sandbox
