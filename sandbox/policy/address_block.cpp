#include "sandbox/policy/address_block.hpp"

#include "sandbox/policy/quoted.hpp"

#include <arpa/inet.h>
#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace satellite::sandbox {
namespace {

Error not_a_block(std::string_view text, std::string_view why) {
  return Error{ErrorCode::invalid_input, quoted_text(text) + " " + std::string(why)};
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

/// Each entry with what it means; parsed once, since both lists may be long.
using Parsed = std::vector<std::pair<const std::string*, std::optional<AddressBlock>>>;

Parsed parsed(const std::vector<std::string>& entries) {
  Parsed blocks;
  for (const auto& entry : entries) {
    const auto block = parse_address_block(entry);
    blocks.emplace_back(&entry, block ? std::optional(*block) : std::nullopt);
  }
  return blocks;
}

bool within_any(const Parsed& outer, const AddressBlock& block) {
  return std::any_of(outer.begin(), outer.end(), [&block](const auto& candidate) {
    return candidate.second && contains(*candidate.second, block);
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
  const Parsed of_a = parsed(a);
  const Parsed of_b = parsed(b);
  std::vector<std::string> both;
  Parsed kept;
  const auto keep = [&](const Parsed& from, const Parsed& other) {
    for (const auto& [entry, block] : from) {
      if (block && (!within_any(other, *block) || within_any(kept, *block))) continue;
      if (!block && holds(both, *entry)) continue;
      both.push_back(*entry);
      kept.emplace_back(entry, block);
    }
  };
  keep(of_a, of_b);
  keep(of_b, of_a);
  return both;
}

}  // namespace satellite::sandbox
