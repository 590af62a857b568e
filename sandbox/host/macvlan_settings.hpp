#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/host/host_facts.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// An address of a run's uplink, and the router behind which everything else lies.
struct UplinkAddress {
  bool ipv6 = false;
  std::array<std::uint8_t, 16> address{}, gateway{};  ///< network order, IPv4 in the first four
  unsigned prefix_length = 0;
  bool operator==(const UplinkAddress&) const = default;
};

/// What the operator gave for the macvlan uplink of runs.
struct MacvlanSettings {
  std::string interface;   ///< of the host, e.g. `eth0`
  MacvlanAddressing text;  ///< as configured, for reports
  UplinkAddress ipv4;
  std::optional<UplinkAddress> ipv6;
  bool operator==(const MacvlanSettings&) const = default;
};

/// The settings out of named texts, or why there are none: `nullopt` when nothing is configured.
///
/// Shape:  CHECKSTACK_SANDBOX_MACVLAN_IP, _NM, _GW are all there or the uplink is not configured;
///         _IFACE names the host's interface, else it is the one of the IPv4 default route;
///         _IP6 (`2001:db8::5/64`) and _GW6 are optional and come together.
/// Errors: invalid_input for a malformed or partial configuration; not_found when there is no
///         interface to use. Both mean: not configured, and say why.
Result<std::optional<MacvlanSettings>> macvlan_settings(
    const std::function<const char*(const char* name)>& variable);

/// The outcome of macvlan_settings(), with the reason beside it when there are none.
struct ConfiguredMacvlan {
  std::optional<MacvlanSettings> settings{};
  std::string problem{};  ///< e.g. a malformed netmask; such an uplink is not configured
};

/// Parses what the variables hold; `interface` is already known. Pure.
Result<MacvlanSettings> parse_macvlan_settings(std::string interface, MacvlanAddressing text,
                                               const std::string& ip6, const std::string& gateway6);

}  // namespace satellite::sandbox
