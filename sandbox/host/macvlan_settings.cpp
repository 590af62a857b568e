#include "sandbox/host/macvlan_settings.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <bit>
#include <charconv>
#include <fstream>
#include <sstream>

namespace satellite::sandbox {
namespace {

constexpr const char* ip_variable = "CHECKSTACK_SANDBOX_MACVLAN_IP";
constexpr const char* netmask_variable = "CHECKSTACK_SANDBOX_MACVLAN_NM";
constexpr const char* gateway_variable = "CHECKSTACK_SANDBOX_MACVLAN_GW";
constexpr const char* interface_variable = "CHECKSTACK_SANDBOX_MACVLAN_IFACE";
constexpr const char* ip6_variable = "CHECKSTACK_SANDBOX_MACVLAN_IP6";
constexpr const char* gateway6_variable = "CHECKSTACK_SANDBOX_MACVLAN_GW6";

Error malformed(const char* variable, const char* expected) {
  return Error{ErrorCode::invalid_input, std::string(variable) + " is not " + expected};
}

bool parse_ipv4(const std::string& text, std::array<std::uint8_t, 16>& bytes) {
  return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1;
}

bool parse_ipv6(const std::string& text, std::array<std::uint8_t, 16>& bytes) {
  return ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

/// `255.255.255.0` as 24; nothing for a mask with holes.
std::optional<unsigned> prefix_of_netmask(const std::string& text) {
  std::array<std::uint8_t, 16> bytes{};
  if (!parse_ipv4(text, bytes)) return std::nullopt;
  const std::uint32_t mask = (std::uint32_t{bytes[0]} << 24U) | (std::uint32_t{bytes[1]} << 16U) |
                             (std::uint32_t{bytes[2]} << 8U) | bytes[3];
  const int ones = std::countl_one(mask);
  if (ones == 0 || std::popcount(mask) != ones) return std::nullopt;
  return static_cast<unsigned>(ones);
}

Result<UplinkAddress> parse_ipv6_uplink(const std::string& ip6, const std::string& gateway6) {
  const auto slash = ip6.find('/');
  UplinkAddress uplink;
  uplink.ipv6 = true;
  const auto digits = slash == std::string::npos ? std::string() : ip6.substr(slash + 1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), uplink.prefix_length);
  if (error != std::errc{} || end != digits.data() + digits.size() || uplink.prefix_length < 1 ||
      uplink.prefix_length > 128 || !parse_ipv6(ip6.substr(0, slash), uplink.address)) {
    return malformed(ip6_variable, "an IPv6 address with its prefix length, as 2001:db8::5/64");
  }
  if (!parse_ipv6(gateway6, uplink.gateway)) return malformed(gateway6_variable, "an IPv6 address");
  return uplink;
}

/// The interface of the IPv4 default route, or empty.
std::string default_route_interface() {
  std::ifstream routes("/proc/net/route");
  std::string line;
  std::getline(routes, line);
  while (std::getline(routes, line)) {
    std::istringstream fields(line);
    std::string interface, destination;
    fields >> interface >> destination;
    if (destination == "00000000") return interface;
  }
  return {};
}

}  // namespace

Result<MacvlanSettings> parse_macvlan_settings(std::string interface, MacvlanAddressing text,
                                               const std::string& ip6,
                                               const std::string& gateway6) {
  MacvlanSettings settings;
  if (interface.empty() || interface.size() >= IFNAMSIZ ||
      interface.find_first_of("/ \t\n") != std::string::npos) {
    return malformed(interface_variable, "the name of an interface");
  }
  if (!parse_ipv4(text.ip, settings.ipv4.address)) return malformed(ip_variable, "an IPv4 address");
  const auto prefix = prefix_of_netmask(text.netmask);
  if (!prefix) return malformed(netmask_variable, "a netmask, as 255.255.255.0");
  settings.ipv4.prefix_length = *prefix;
  if (!parse_ipv4(text.gateway, settings.ipv4.gateway)) {
    return malformed(gateway_variable, "an IPv4 address");
  }
  if (ip6.empty() != gateway6.empty()) {
    return malformed(ip6.empty() ? ip6_variable : gateway6_variable, "set beside its counterpart");
  }
  if (!ip6.empty()) {
    const auto ipv6 = parse_ipv6_uplink(ip6, gateway6);
    if (!ipv6) return ipv6.error();
    settings.ipv6 = *ipv6;
  }
  settings.interface = std::move(interface);
  settings.text = std::move(text);
  return settings;
}

Result<std::optional<MacvlanSettings>> macvlan_settings(
    const std::function<const char*(const char* name)>& variable) {
  const auto text_of = [&variable](const char* name) {
    const char* value = variable(name);
    return std::string(value == nullptr ? "" : value);
  };
  MacvlanAddressing text{text_of(ip_variable), text_of(netmask_variable),
                         text_of(gateway_variable)};
  if (text.ip.empty() && text.netmask.empty() && text.gateway.empty()) {
    return std::optional<MacvlanSettings>();
  }
  std::string interface = text_of(interface_variable);
  if (interface.empty()) interface = default_route_interface();
  if (interface.empty()) {
    return Error{ErrorCode::not_found,
                 std::string("no default route names an interface; set ") + interface_variable};
  }
  auto settings = parse_macvlan_settings(std::move(interface), std::move(text),
                                         text_of(ip6_variable), text_of(gateway6_variable));
  if (!settings) return settings.error();
  return std::optional(*std::move(settings));
}

}  // namespace satellite::sandbox
