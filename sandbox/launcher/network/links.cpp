#include "sandbox/launcher/network/links.hpp"

#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <span>
#include <string>
#include <thread>

namespace satellite::sandbox {
namespace {

using kernel::NetlinkMessage;
using kernel::NetlinkSocket;

constexpr unsigned create_only = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
constexpr std::size_t hardware_address_size = 6;

Result<void> raise(const char* name) {
  const auto index = index_of_interface(name);
  if (!index) return index.error();
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  NetlinkMessage message(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
  ifinfomsg link{};
  link.ifi_index = *index;
  link.ifi_flags = link.ifi_change = IFF_UP;
  return socket->request(std::move(message.fixed(link)));
}

Result<void> write_setting(const std::string& path, std::string_view value) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return {};  // a kernel without IPv6
  if (!file || ::write(file.get(), value.data(), value.size()) < 0) {
    return error_from_errno(path, errno);
  }
  return {};
}

/// Locally administered, one for each IPv4 address.
std::array<std::byte, hardware_address_size> hardware_address(const UplinkAddress& ipv4) {
  std::array<std::byte, hardware_address_size> address{std::byte{0x02}, std::byte{0xc5}};
  for (std::size_t i = 0; i < 4; ++i) address[2 + i] = std::byte{ipv4.address[i]};
  return address;
}

std::span<const std::byte> bytes_of(const std::array<std::uint8_t, 16>& address, bool ipv6) {
  return std::as_bytes(std::span(address)).first(ipv6 ? 16 : 4);
}

}  // namespace

Result<int> index_of_interface(const char* name) {
  const unsigned index = ::if_nametoindex(name);
  if (index == 0) return error_from_errno(std::string("interface ") + name, errno);
  return static_cast<int>(index);
}

Result<void> raise_loopback() {
  return raise("lo");
}

Result<void> set_ipv6(bool wanted) {
  const std::string settings = "/proc/sys/net/ipv6/conf/";
  for (const char* scope : {"all", "default"}) {
    const auto done = wanted ? write_setting(settings + scope + "/accept_ra", "0")
                             : write_setting(settings + scope + "/disable_ipv6", "1");
    if (!done) return done;
  }
  return {};
}

Result<void> make_macvlan(NetlinkSocket& host, int parent, int network_namespace_fd,
                          const MacvlanSettings& settings) {
  NetlinkMessage message(RTM_NEWLINK, create_only);
  message.fixed(ifinfomsg{});
  message.text(IFLA_IFNAME, macvlan_uplink_name);
  message.number(IFLA_LINK, parent);
  message.attribute(IFLA_ADDRESS, hardware_address(settings.ipv4));
  message.number(IFLA_NET_NS_FD, network_namespace_fd);
  const auto kind = message.begin_nested(IFLA_LINKINFO);
  message.text(IFLA_INFO_KIND, "macvlan");
  const auto details = message.begin_nested(IFLA_INFO_DATA);
  message.number(IFLA_MACVLAN_MODE, std::uint32_t{MACVLAN_MODE_PRIVATE});
  message.end_nested(details);
  message.end_nested(kind);
  return host.request(std::move(message));
}

Result<void> address_uplink(const UplinkAddress& address) {
  const auto index = index_of_interface(macvlan_uplink_name);
  if (!index) return index.error();
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  NetlinkMessage message(RTM_NEWADDR, create_only);
  ifaddrmsg place{};
  place.ifa_family = address.ipv6 ? AF_INET6 : AF_INET;
  place.ifa_prefixlen = static_cast<std::uint8_t>(address.prefix_length);
  // Nobody else may have this address, and the run cannot wait a second to find out.
  place.ifa_flags = address.ipv6 ? IFA_F_NODAD : 0;
  place.ifa_index = static_cast<unsigned>(*index);
  message.fixed(place);
  message.attribute(IFA_LOCAL, bytes_of(address.address, address.ipv6));
  message.attribute(IFA_ADDRESS, bytes_of(address.address, address.ipv6));
  return socket->request(std::move(message));
}

Result<void> raise_uplink() {
  // The address of the run before us is free only once the kernel has taken that run's network
  // down, which it does in its own time after the last process left.
  constexpr auto pause = std::chrono::milliseconds(10);
  constexpr int attempts_max = 300;
  auto done = raise(macvlan_uplink_name);
  for (int i = 0; i < attempts_max && !done; ++i) {
    if (done.error().code != ErrorCode::unavailable) break;
    std::this_thread::sleep_for(pause);
    done = raise(macvlan_uplink_name);
  }
  return done;
}

Result<void> route_through_uplink(const UplinkAddress& address) {
  const auto index = index_of_interface(macvlan_uplink_name);
  if (!index) return index.error();
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return socket.error();
  NetlinkMessage message(RTM_NEWROUTE, create_only);
  rtmsg route{};
  route.rtm_family = address.ipv6 ? AF_INET6 : AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = RT_SCOPE_UNIVERSE;
  route.rtm_type = RTN_UNICAST;
  message.fixed(route);
  message.attribute(RTA_GATEWAY, bytes_of(address.gateway, address.ipv6));
  message.number(RTA_OIF, *index);
  return socket->request(std::move(message));
}

}  // namespace satellite::sandbox
