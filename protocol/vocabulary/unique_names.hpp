#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace satellite {

/// A name that stands among `names` twice, if there is one. The order of `names` is lost.
///
/// Shape:  compared one by one where there are few, as in nearly every object; else sorted, since
///         whoever sends a million names must not make us compare each with each.
inline std::optional<std::string_view> repeated_name(std::span<std::string_view> names) {
  constexpr std::size_t few = 16;
  if (names.size() <= few) {
    for (std::size_t i = 1; i < names.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (names[i] == names[j]) return names[i];
      }
    }
    return std::nullopt;
  }
  // By size first: most names differ in it, and then no byte is looked at.
  std::sort(names.begin(), names.end(), [](std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return std::nullopt;
  return *twice;
}

}  // namespace satellite
