#include "sandbox/planning/address_block.hpp"

#include "sandbox/planning/in_quotes.hpp"

#include <arpa/inet.h>
#include <algorithm>
#include <charconv>
#include <optional>

namespace satellite::sandbox {
namespace {

Error not_a_block(std::string_view text, std::string_view why) {
  return Error{ErrorCode::invalid_input, in_quotes(text) + " " + std::string(why)};
}

/// Decimal digits without sign or leading zero, at most `bound`.
std::optional<unsigned> prefix_length_of(std::string_view digits, unsigned bound) {
  if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0')) {
    return std::nullopt;
  }
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size() || value > bound) {
    return std::nullopt;
  }
  return value;
}

unsigned width_of(AddressBlock::Family family) {
  return family == AddressBlock::Family::ipv4 ? 32 : 128;
}

bool has_host_bits(const AddressBlock& block) {
  for (unsigned bit = block.prefix_length; bit < width_of(block.family); ++bit) {
    if ((unsigned{block.bytes[bit / 8]} >> (7 - bit % 8)) & 1U) return true;
  }
  return false;
}

bool is_ipv4_mapped(const AddressBlock& block) {
  if (block.family != AddressBlock::Family::ipv6 || block.prefix_length < 96) return false;
  const bool zeros = std::all_of(block.bytes.begin(), block.bytes.begin() + 10,
                                 [](std::uint8_t byte) { return byte == 0; });
  return zeros && block.bytes[10] == 0xff && block.bytes[11] == 0xff;
}

bool holds(const std::vector<std::string>& entries, const std::string& entry) {
  return std::find(entries.begin(), entries.end(), entry) != entries.end();
}

bool within_any(const std::vector<std::string>& outer, const std::string& entry) {
  const auto block = parse_address_block(entry);
  if (!block) return holds(outer, entry);
  return std::any_of(outer.begin(), outer.end(), [&block](const std::string& candidate) {
    const auto whole = parse_address_block(candidate);
    return whole && contains(*whole, *block);
  });
}

}  // namespace

Result<AddressBlock> parse_address_block(std::string_view text) {
  constexpr std::size_t longest = 49;  // eight groups with an embedded IPv4 address, slash, 128
  if (text.empty()) return not_a_block(text, "is not an address or CIDR block");
  if (text.size() > longest || text.find('\0') != std::string_view::npos) {
    return not_a_block(text, "is not an address or CIDR block");
  }
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  AddressBlock block;
  if (::inet_pton(AF_INET, address.c_str(), block.bytes.data()) == 1) {
    block.family = AddressBlock::Family::ipv4;
  } else if (::inet_pton(AF_INET6, address.c_str(), block.bytes.data()) == 1) {
    block.family = AddressBlock::Family::ipv6;
  } else {
    return not_a_block(text, slash == std::string_view::npos ? "is not an IPv4 or IPv6 address"
                                                             : "is not a CIDR block");
  }
  block.prefix_length = width_of(block.family);
  if (slash != std::string_view::npos) {
    const auto length = prefix_length_of(text.substr(slash + 1), block.prefix_length);
    if (!length) return not_a_block(text, "is not a CIDR block");
    block.prefix_length = *length;
  }
  if (has_host_bits(block)) {
    return not_a_block(text,
                       "has bits set after its prefix; write the network's first address, "
                       "or the address alone");
  }
  if (is_ipv4_mapped(block)) {
    return not_a_block(text,
                       "is an IPv4-mapped IPv6 address, which no packet carries; write the "
                       "IPv4 address");
  }
  return block;
}

bool contains(const AddressBlock& outer, const AddressBlock& inner) {
  if (outer.family != inner.family || outer.prefix_length > inner.prefix_length) return false;
  for (unsigned bit = 0; bit < outer.prefix_length; bit += 8) {
    const unsigned wanted = std::min(8U, outer.prefix_length - bit);
    const auto mask = static_cast<std::uint8_t>(0xffU << (8 - wanted));
    if ((outer.bytes[bit / 8] & mask) != (inner.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

std::vector<std::string> permitted_by_both(const std::vector<std::string>& a,
                                           const std::vector<std::string>& b) {
  std::vector<std::string> both;
  for (const auto& entry : a) {
    if (within_any(b, entry) && !holds(both, entry)) both.push_back(entry);
  }
  for (const auto& entry : b) {
    if (within_any(a, entry) && !within_any(both, entry)) both.push_back(entry);
  }
  return both;
}

}  // namespace satellite::sandbox
