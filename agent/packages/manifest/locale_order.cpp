#include "agent/packages/manifest/locale_order.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace satellite::agent {
namespace {

constexpr std::string_view in_order = "_-.@/+~0123456789abcdefghijklmnopqrstuvwxyz";

constexpr bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

/// The place of each byte in the order, whatever its case.
constexpr std::array<int, 256> make_places() {
  std::array<int, 256> places{};
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<int>(256 + i);
  for (std::size_t i = 0; i < in_order.size(); ++i) {
    places[static_cast<unsigned char>(in_order[i])] = static_cast<int>(i);
  }
  for (char upper = 'A'; upper <= 'Z'; ++upper) {
    places[static_cast<unsigned char>(upper)] =
        places[static_cast<unsigned char>(upper - 'A' + 'a')];
  }
  return places;
}

constexpr std::array<int, 256> places = make_places();

constexpr int place_of(char c) {
  return places[static_cast<unsigned char>(c)];
}

}  // namespace

int compare_in_locale_order(std::string_view a, std::string_view b) {
  const std::size_t shared = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < shared; ++i) {
    const int difference = place_of(a[i]) - place_of(b[i]);
    if (difference != 0) return difference;
  }
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (std::size_t i = 0; i < shared; ++i) {
    if (a[i] != b[i]) return is_upper(b[i]) ? -1 : 1;
  }
  return 0;
}

}  // namespace satellite::agent
