#include "agent/config/nearest_word.hpp"

#include <algorithm>
#include <cstddef>

namespace satellite::agent {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view nearest_word(std::string_view mistyped,
                              const std::vector<std::string_view>& words) {
  // What comes from outside may be long; nothing of ours is, so nothing long can be near.
  if (mistyped.size() > 64) return {};
  std::string_view nearest;
  std::size_t distance_max = 3;
  for (const std::string_view word : words) {
    const std::size_t distance = edit_distance(mistyped, word);
    if (distance > distance_max || 2 * distance > word.size()) continue;
    if (distance == distance_max && !nearest.empty()) continue;
    nearest = word;
    distance_max = distance;
  }
  return nearest;
}

}  // namespace satellite::agent
