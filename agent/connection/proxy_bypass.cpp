#include "agent/connection/proxy_bypass.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <algorithm>
#include <array>
#include <charconv>

namespace satellite::agent {
namespace {

constexpr std::size_t bypass_entries_max = 256;

/// An address of either family; of IPv4 the first four bytes count.
struct NumericHost {
  bool is_ipv6 = false;
  std::array<unsigned char, 16> bytes{};

  unsigned bits() const { return is_ipv6 ? 128 : 32; }
};

struct BypassEntry {
  bool is_everybody = false;
  std::string name;                    ///< empty = not a name
  std::optional<NumericHost> address;  ///< of which the first `prefix_length` bits count
  unsigned prefix_length = 0;
  std::optional<std::uint16_t> port;
};

std::optional<NumericHost> numeric_host(std::string_view text) {
  const std::string host(text);
  NumericHost parsed;
  if (::inet_pton(AF_INET, host.c_str(), parsed.bytes.data()) == 1) return parsed;
  if (::inet_pton(AF_INET6, host.c_str(), parsed.bytes.data()) != 1) return std::nullopt;
  parsed.is_ipv6 = true;
  return parsed;
}

std::optional<unsigned> decimal(std::string_view text) {
  unsigned number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<BypassEntry> parse_block(std::string_view address, std::string_view length) {
  BypassEntry entry;
  entry.address = numeric_host(address);
  const auto bits = decimal(length);
  if (!entry.address || !bits || *bits > entry.address->bits()) return std::nullopt;
  entry.prefix_length = *bits;
  return entry;
}

std::optional<BypassEntry> parse_bypass_entry(std::string_view text) {
  if (text == "*") return BypassEntry{true, {}, {}, 0, {}};
  if (const auto slash = text.find('/'); slash != std::string_view::npos) {
    return parse_block(text.substr(0, slash), text.substr(slash + 1));
  }
  BypassEntry entry;
  entry.address = numeric_host(text);
  if (entry.address) {
    entry.prefix_length = entry.address->bits();
    return entry;
  }
  if (text.starts_with("*.")) text.remove_prefix(1);
  if (text.starts_with('.')) text.remove_prefix(1);
  const auto authority = parse_url_authority(text);
  if (!authority) return std::nullopt;
  entry.port = authority->port;
  if (!authority->host_is_address) {
    entry.name = authority->host;
    return entry;
  }
  entry.address = numeric_host(authority->host);
  entry.prefix_length = entry.address ? entry.address->bits() : 0;
  return entry;
}

bool is_in_block(const BypassEntry& entry, const NumericHost& host) {
  if (entry.address->is_ipv6 != host.is_ipv6) return false;
  for (unsigned bit = 0; bit < entry.prefix_length; ++bit) {
    const unsigned mask = 0x80U >> bit % 8;
    if ((entry.address->bytes[bit / 8] & mask) != (host.bytes[bit / 8] & mask)) return false;
  }
  return true;
}

bool is_about(const BypassEntry& entry, const HostAndPort& wanted) {
  if (entry.is_everybody) return true;
  if (entry.port && *entry.port != wanted.port) return false;
  const auto address = numeric_host(wanted.host);
  if (entry.address) return address && is_in_block(entry, *address);
  return !address && (wanted.host == entry.name || wanted.host.ends_with('.' + entry.name));
}

std::vector<std::string_view> entries_in(std::string_view list) {
  constexpr std::string_view between = ", \t\r\n";
  std::vector<std::string_view> entries;
  while (entries.size() <= bypass_entries_max) {
    const std::size_t begin = list.find_first_not_of(between);
    if (begin == std::string_view::npos) break;
    list.remove_prefix(begin);
    const std::size_t size = std::min(list.find_first_of(between), list.size());
    entries.push_back(list.substr(0, size));
    list.remove_prefix(size);
  }
  return entries;
}

}  // namespace

std::optional<std::string> bypassed_by(std::string_view list, const HostAndPort& wanted) {
  auto entries = entries_in(list);
  entries.resize(std::min(entries.size(), bypass_entries_max));
  for (const std::string_view text : entries) {
    const auto entry = parse_bypass_entry(text);
    if (entry && is_about(*entry, wanted)) return std::string(text);
  }
  return std::nullopt;
}

std::vector<std::string> unknown_bypass_entries(std::string_view list) {
  std::vector<std::string> unknown;
  std::size_t count = 0;
  for (const std::string_view text : entries_in(list)) {
    if (++count > bypass_entries_max) {
      unknown.emplace_back("…");
    } else if (!parse_bypass_entry(text)) {
      unknown.emplace_back(text);
    }
  }
  return unknown;
}

std::string known_bypass_entries(std::string_view list) {
  std::string known;
  auto entries = entries_in(list);
  entries.resize(std::min(entries.size(), bypass_entries_max));
  for (const std::string_view text : entries) {
    if (!parse_bypass_entry(text)) continue;
    known += (known.empty() ? "" : ",") + std::string(text);
  }
  return known;
}

}  // namespace satellite::agent
