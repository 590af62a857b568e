#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// A line that two outputs do not have in common.
struct LineDifference {
  enum class Kind {
    only_first,
    only_second,
    numbers,  ///< the same line but for its numbers, which move from run to run
  };
  Kind kind = Kind::only_first;
  std::string first, second;
  bool operator==(const LineDifference&) const = default;
};

/// What differs between two outputs, line by line, in their order. Pure. Of outputs with more than
/// 400 lines the rest is compared as one line.
std::vector<LineDifference> compare_lines(std::string_view first, std::string_view second);

/// Whether anything but numbers differs.
bool differs_in_words(const std::vector<LineDifference>& differences);

}  // namespace satellite::agent
