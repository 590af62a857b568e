#pragma once

#include "protocol/vocabulary/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// One entry of a network allowlist: an address or a CIDR block of IPv4 or IPv6.
///
/// Shape:  network order, an IPv4 block uses the first four bytes; bits after the prefix are zero.
/// Errors: invalid_input for everything that is not exactly one address or block: names, ranges,
///         blanks, zones, host bits (`10.0.0.1/8` would open a million times more than it looks),
///         IPv4-mapped IPv6 (the kernel sends such packets as IPv4, the rule would never match).
struct AddressBlock {
  enum class Family { ipv4, ipv6 };
  Family family = Family::ipv4;
  std::array<std::uint8_t, 16> bytes{};
  unsigned prefix_length = 0;
  bool operator==(const AddressBlock&) const = default;
};

Result<AddressBlock> parse_address_block(std::string_view text);

/// Whether every address of `inner` is one of `outer`.
bool contains(const AddressBlock& outer, const AddressBlock& inner);

/// How many entries an allowlist may have. Each costs every packet its time, and all must fit into
/// one message to the kernel.
inline constexpr std::size_t allow_entries_max = 500;

/// The entries both lists permit: of two overlapping blocks the smaller one. An entry that is no
/// block permits nothing and closes the whole list it stands in (egress_rules), so it survives from
/// either one: without it the result would permit more than that list.
std::vector<std::string> permitted_by_both(const std::vector<std::string>& a,
                                           const std::vector<std::string>& b);

}  // namespace satellite::sandbox
