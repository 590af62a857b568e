#include "tests/escape/probe/internet.hpp"
#include "tests/escape/probe/verb.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cstdlib>
#include <cstring>

namespace satellite::escape {
namespace {

/// Connects within a few seconds; ETIMEDOUT when nobody says anything.
long connect_tcp(const char* const* words) {
  const Address to = address_of(words[0], words[1]);
  const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    say("socket");
    return -errno;
  }
  return connected(fd, to);
}

/// Sends a datagram and, if the host answered, tells what it answered.
long send_udp(const char* const* words) {
  const Address to = address_of(words[0], words[1]);
  const int fd = ::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (::connect(fd, to.get(), to.size) < 0) return -errno;
  return answered(::send(fd, "escape", 6, MSG_NOSIGNAL));
}

long bind_tcp(const char* const* words) {
  const Address at = address_of(words[0], words[1]);
  const int fd = ::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  return answered(::bind(fd, at.get(), at.size));
}

/// A socket of a kind by its name; nothing is sent.
long open_socket(const char* const* words) {
  const struct {
    const char* name;
    int family, type, protocol;
  } kinds[] = {{"raw", AF_INET, SOCK_RAW, IPPROTO_ICMP},
               {"raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6},
               {"ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
               {"packet", AF_PACKET, SOCK_RAW, 0x0300},
               {"netfilter", AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER},
               {"audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT},
               {"uevent", AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT},
               {"xfrm", AF_NETLINK, SOCK_RAW, NETLINK_XFRM},
               {"sock-diag", AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG},
               {"generic", AF_NETLINK, SOCK_RAW, NETLINK_GENERIC},
               {"vsock", AF_VSOCK, SOCK_STREAM, 0},
               {"alg", AF_ALG, SOCK_SEQPACKET, 0},
               {"key", AF_KEY, SOCK_RAW, 2},
               {"bluetooth", AF_BLUETOOTH, SOCK_RAW, 1},
               {"xdp", AF_XDP, SOCK_RAW, 0},
               {"tipc", AF_TIPC, SOCK_DGRAM, 0},
               {"can", AF_CAN, SOCK_RAW, 1}};
  for (const auto& kind : kinds) {
    if (std::strcmp(kind.name, words[0]) != 0) continue;
    return answered(::socket(kind.family, kind.type | SOCK_CLOEXEC, kind.protocol));
  }
  return -EINVAL;
}

/// The other call that makes sockets, and loads the modules of their families.
long open_pair(const char* const* words) {
  int ends[2];
  return answered(::socketpair(std::atoi(words[0]), SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
}

/// Sends one netlink request and gives the kernel's acknowledgement.
long acknowledged(int protocol, void* request, unsigned size) {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) {
    say("socket");
    return -errno;
  }
  if (::send(fd, request, size, 0) < 0) return -errno;
  alignas(nlmsghdr) char answer[4096];
  pollfd waiting{fd, POLLIN, 0};
  if (::poll(&waiting, 1, patience_milliseconds) == 0) return -ETIMEDOUT;
  if (::recv(fd, answer, sizeof(answer), 0) < 0) return -errno;
  const auto* const header = reinterpret_cast<const nlmsghdr*>(answer);
  if (header->nlmsg_type != NLMSG_ERROR) return 0;
  return reinterpret_cast<const nlmsgerr*>(answer + NLMSG_HDRLEN)->error;
}

long add_address(const char* const*) {
  struct {
    nlmsghdr header;
    ifaddrmsg message;
    rtattr attribute;
    unsigned char address[4];
  } request{};
  request.header = {sizeof(request), RTM_NEWADDR,
                    NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1, 0};
  request.message = {AF_INET, 32, 0, 0, 1};
  request.attribute = {8, IFA_LOCAL};
  const unsigned char address[4] = {192, 0, 2, 77};
  std::memcpy(request.address, address, 4);
  return acknowledged(NETLINK_ROUTE, &request, sizeof(request));
}

/// A blackhole route into a documentation network: harmless wherever it would be accepted.
long add_route(const char* const*) {
  struct {
    nlmsghdr header;
    rtmsg message;
    rtattr attribute;
    unsigned char destination[4];
  } request{};
  request.header = {sizeof(request), RTM_NEWROUTE,
                    NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1, 0};
  request.message = {AF_INET,       32, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE,
                     RTN_BLACKHOLE, 0};
  request.attribute = {8, RTA_DST};
  const unsigned char destination[4] = {198, 51, 100, 7};
  std::memcpy(request.destination, destination, 4);
  return acknowledged(NETLINK_ROUTE, &request, sizeof(request));
}

/// Empties the packet filter of this network namespace: one table deletion in a batch.
long flush_filter(const char* const*) {
  struct Part {
    nlmsghdr header;
    nfgenmsg message;
  };
  Part parts[3] = {};
  const unsigned short types[3] = {
      NFNL_MSG_BATCH_BEGIN, (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_DELTABLE, NFNL_MSG_BATCH_END};
  for (unsigned i = 0; i < 3; ++i) {
    parts[i].header = {sizeof(Part), types[i],
                       static_cast<unsigned short>(NLM_F_REQUEST | (i == 1 ? NLM_F_ACK : 0)), i, 0};
    parts[i].message = {AF_UNSPEC, NFNETLINK_V0, i == 1 ? htons(0) : htons(NFNL_SUBSYS_NFTABLES)};
  }
  return acknowledged(NETLINK_NETFILTER, parts, sizeof(parts));
}

long change_interface(const char* const* words) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(fd, SIOCGIFFLAGS, &request) < 0) return -errno;
  const bool down = std::strcmp(words[0], "down") == 0;
  const int flags = request.ifr_flags;
  request.ifr_flags = static_cast<short>(down ? flags & ~IFF_UP : flags | IFF_PROMISC);
  return answered(::ioctl(fd, SIOCSIFFLAGS, &request));
}

/// Interfaces of this network namespace; ok = more than loopback.
long count_interfaces(const char* const*) {
  static char text[8192];
  const long read = read_text("/proc/net/dev", text, sizeof(text));
  if (read < 0) return read;
  long count = 0;
  for (const char* c = text; *c != '\0'; ++c) count += *c == '\n' ? 1 : 0;
  say("%ld interfaces", count - 2);
  return count - 2 > 1 ? count : -ENODEV;
}

long make_tun(const char* const*) {
  const int fd = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    say("open");
    return -errno;
  }
  ifreq request{};
  request.ifr_flags = 1 | 0x1000;  // IFF_TUN | IFF_NO_PI
  return answered(::ioctl(fd, 0x400454caUL /* TUNSETIFF */, &request));
}

constexpr Verb verbs[] = {
    {"connect-tcp", 2, Danger::none, connect_tcp},
    {"send-udp", 2, Danger::none, send_udp},
    {"bind-tcp", 2, Danger::none, bind_tcp},
    {"open-socket", 1, Danger::none, open_socket},
    {"open-pair", 1, Danger::none, open_pair},
    {"add-address", 0, Danger::other, add_address},
    {"add-route", 0, Danger::other, add_route},
    {"flush-filter", 0, Danger::other, flush_filter},
    {"change-interface", 1, Danger::other, change_interface},
    {"count-interfaces", 0, Danger::none, count_interfaces},
    {"make-tun", 0, Danger::other, make_tun},
};

}  // namespace

Verbs network_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
