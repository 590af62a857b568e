// What a script with a way out would try with it: other protocols, the addresses of others, flows
// that outlive their permission.
#include "tests/escape/probe/internet.hpp"
#include "tests/escape/probe/verb.hpp"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cstdio>
#include <cstring>

namespace satellite::escape {
namespace {

constexpr int flow_patience_milliseconds = 30'000;

/// One datagram to the peer; ok = somebody answered, whoever it was: behind a helper that is not
/// always the address asked.
long exchange(int fd, const Address& to, const void* question, unsigned long size) {
  if (fd < 0) {
    say("socket");
    return -errno;
  }
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
  if (::sendto(fd, question, size, MSG_NOSIGNAL, to.get(), to.size) < 0) return -errno;
  pollfd waiting{fd, POLLIN, 0};
  if (::poll(&waiting, 1, patience_milliseconds) == 0) return -ETIMEDOUT;
  char answer[64];
  return answered(::recv(fd, answer, sizeof(answer), 0));
}

long ask_udp(const char* const* words) {
  const Address to = address_of(words[0], words[1]);
  return exchange(::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0), to, "escape", 6);
}

long ping(const char* const* words) {
  const Address to = address_of(words[0], "0");
  const bool ipv6 = to.family() == AF_INET6;
  icmphdr echo{};
  echo.type = ipv6 ? static_cast<unsigned char>(ICMP6_ECHO_REQUEST) : ICMP_ECHO;
  const int fd = ::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC,
                          ipv6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP));
  return exchange(fd, to, &echo, sizeof(echo));
}

/// Another protocol under the same calls as TCP.
long connect_mptcp(const char* const* words) {
  const Address to = address_of(words[0], words[1]);
  const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_MPTCP);
  if (fd < 0) return -errno;
  return connected(fd, to);
}

bool is(const char* word, const char* name) {
  return std::strcmp(word, name) == 0;
}

/// Switches on what lets a socket have an address that is not of this host.
long allow_foreign_source(int fd, bool ipv6, bool transparent) {
  const int on = 1;
  const int level = ipv6 ? static_cast<int>(IPPROTO_IPV6) : static_cast<int>(IPPROTO_IP);
  const int option = transparent ? (ipv6 ? IPV6_TRANSPARENT : IP_TRANSPARENT)
                                 : (ipv6 ? IPV6_FREEBIND : IP_FREEBIND);
  return answered(::setsockopt(fd, level, option, &on, sizeof(on)));
}

/// One datagram whose source is named beside it.
long send_with_packet_info(int fd, const Address& source, const Address& to) {
  char text[] = "escape";
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))] = {};
  iovec part{text, sizeof(text)};
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(to.get());
  message.msg_namelen = to.size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  cmsghdr head{};
  if (to.family() == AF_INET6) {
    in6_pktinfo packet{};
    packet.ipi6_addr = source.ipv6().sin6_addr;
    head = {CMSG_LEN(sizeof(packet)), IPPROTO_IPV6, IPV6_PKTINFO};
    message.msg_controllen = CMSG_SPACE(sizeof(packet));
    std::memcpy(control + CMSG_LEN(0), &packet, sizeof(packet));
  } else {
    in_pktinfo packet{};
    packet.ipi_spec_dst = source.ipv4().sin_addr;
    head = {CMSG_LEN(sizeof(packet)), IPPROTO_IP, IP_PKTINFO};
    message.msg_controllen = CMSG_SPACE(sizeof(packet));
    std::memcpy(control + CMSG_LEN(0), &packet, sizeof(packet));
  }
  std::memcpy(control, &head, sizeof(head));
  return answered(::sendmsg(fd, &message, MSG_NOSIGNAL));
}

/// A datagram with the source address of somebody else: HOW SOURCE ADDRESS PORT.
long send_from(const char* const* words) {
  const Address source = address_of(words[1], "4444");
  const Address to = address_of(words[2], words[3]);
  const int fd = ::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (!is(words[0], "plain")) {
    const bool transparent = is(words[0], "transparent");
    const long allowed = allow_foreign_source(fd, to.family() == AF_INET6, transparent);
    if (allowed < 0) {
      say("option");
      return allowed;
    }
  }
  if (is(words[0], "packet-info")) return send_with_packet_info(fd, source, to);
  if (::bind(fd, source.get(), source.size) < 0) {
    say("bind");
    return -errno;
  }
  return answered(::sendto(fd, "escape", 6, MSG_NOSIGNAL, to.get(), to.size));
}

/// A neighbour's hardware address, made up: DEVICE ADDRESS.
long set_neighbour(const char* const* words) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  const Address at = address_of(words[1], "0");
  arpreq request{};
  std::memcpy(&request.arp_pa, at.get(), sizeof(sockaddr_in));
  ifreq device{};
  std::strncpy(device.ifr_name, words[0], sizeof(device.ifr_name) - 1);
  if (::ioctl(fd, SIOCGIFHWADDR, &device) < 0) return -errno;
  request.arp_ha = device.ifr_hwaddr;
  request.arp_flags = ATF_PERM | ATF_COM;
  std::strncpy(request.arp_dev, words[0], sizeof(request.arp_dev) - 1);
  return answered(::ioctl(fd, SIOCSARP, &request));
}

/// Waits for visitors and names each; only the end of the run ends it.
long serve_tcp(const char* const* words) {
  const Address at = address_of("0.0.0.0", words[0]);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (::bind(fd, at.get(), at.size) < 0 || ::listen(fd, 8) < 0) return -errno;
  std::printf("LISTENING\n");
  std::fflush(stdout);
  for (;;) {
    sockaddr_in from{};
    socklen_t size = sizeof(from);
    const int visitor = ::accept(fd, reinterpret_cast<sockaddr*>(&from), &size);
    if (visitor < 0) return -errno;
    std::printf("VISITOR %s\n", ::inet_ntoa(from.sin_addr));
    std::fflush(stdout);
    ::close(visitor);
  }
}

/// Hears of every interface that comes or goes.
int watch_interfaces() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) return -1;
  return fd;
}

bool interface_went(int events) {
  alignas(nlmsghdr) char buffer[8192];
  const ssize_t got = ::recv(events, buffer, sizeof(buffer), MSG_DONTWAIT);
  if (got < static_cast<ssize_t>(sizeof(nlmsghdr))) return false;
  return reinterpret_cast<const nlmsghdr*>(buffer)->nlmsg_type == RTM_DELLINK;
}

/// One connection, on which everything that comes is sent back; ok = the peer closed it, ENODEV =
/// an interface went away under it.
long keep_flow(const char* const* words) {
  const Address to = address_of(words[0], words[1]);
  const int events = watch_interfaces();
  if (events < 0) {
    say("events");
    return -errno;
  }
  const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (const long done = connected(fd, to); done < 0) return done;
  std::printf("OPEN\n");
  std::fflush(stdout);
  for (;;) {
    pollfd watched[2] = {{fd, POLLIN, 0}, {events, POLLIN, 0}};
    if (::poll(watched, 2, flow_patience_milliseconds) == 0) return -ETIMEDOUT;
    if (watched[1].revents != 0 && interface_went(events)) return -ENODEV;
    if (watched[0].revents == 0) continue;
    char bytes[256];
    const ssize_t got = ::recv(fd, bytes, sizeof(bytes), 0);
    if (got <= 0) return answered(got);
    if (::send(fd, bytes, static_cast<unsigned long>(got), MSG_NOSIGNAL) < 0) return -errno;
  }
}

constexpr Verb verbs[] = {
    {"ask-udp", 2, Danger::none, ask_udp},
    {"ping", 1, Danger::none, ping},
    {"connect-mptcp", 2, Danger::none, connect_mptcp},
    {"send-from", 4, Danger::other, send_from},
    {"set-neighbour", 2, Danger::other, set_neighbour},
    {"serve-tcp", 1, Danger::none, serve_tcp},
    {"keep-flow", 2, Danger::none, keep_flow},
};

}  // namespace

Verbs egress_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
