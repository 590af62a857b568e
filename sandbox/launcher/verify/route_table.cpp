#include "sandbox/launcher/verify/route_table.hpp"

#include <arpa/inet.h>
#include <bit>
#include <charconv>
#include <cstdint>
#include <optional>
#include <sstream>

namespace satellite::sandbox {
namespace {

/// The kernel prints the number as it lies in memory.
std::optional<std::uint32_t> number_of(const std::string& digits) {
  std::uint32_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::string address_text(std::uint32_t address) {
  char text[INET_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET, &address, text, sizeof(text));
  return text;
}

}  // namespace

std::vector<std::string> describe_routes(std::string_view text) {
  std::vector<std::string> routes;
  std::istringstream lines{std::string(text)};
  std::string line;
  std::getline(lines, line);  // the column names
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string interface, destination, gateway, skipped, mask;
    fields >> interface >> destination >> gateway;
    for (int i = 0; i < 4; ++i) fields >> skipped;
    fields >> mask;
    const auto to = number_of(destination);
    const auto via = number_of(gateway);
    const auto bits = number_of(mask);
    if (!fields || !to || !via || !bits) {
      routes.push_back(line);
      continue;
    }
    std::string route = "default";
    if (*bits != 0) route = address_text(*to) + "/" + std::to_string(std::popcount(*bits));
    if (*via != 0) route += " via " + address_text(*via);
    routes.push_back(route + " dev " + interface);
  }
  return routes;
}

}  // namespace satellite::sandbox
