#include "agent/commands/comparison.hpp"

#include <algorithm>
#include <cstddef>

namespace satellite::agent {
namespace {

constexpr std::size_t lines_compared_max = 400;

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty() && lines.size() + 1 < lines_compared_max) {
    const auto line = text.substr(0, text.find('\n'));
    lines.push_back(line);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  if (!text.empty()) lines.push_back(text);
  return lines;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The line with each number as one sign, fractions and signs included.
std::string without_numbers(std::string_view line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (!is_digit(line[i])) {
      text += line[i];
      continue;
    }
    text += '#';
    const auto is_inside = [&](std::size_t at) {
      const bool is_point = line[at] == '.' && at + 1 < line.size() && is_digit(line[at + 1]);
      return is_digit(line[at]) || is_point;
    };
    while (i + 1 < line.size() && is_inside(i + 1)) ++i;
  }
  return text;
}

using Lines = std::vector<std::string_view>;

/// How many lines can be paired from here on, for each place in both.
std::vector<std::vector<std::size_t>> pairs_from(const std::vector<std::string>& first,
                                                 const std::vector<std::string>& second) {
  std::vector<std::vector<std::size_t>> pairs(first.size() + 1,
                                              std::vector<std::size_t>(second.size() + 1, 0));
  for (std::size_t i = first.size(); i-- > 0;) {
    for (std::size_t j = second.size(); j-- > 0;) {
      pairs[i][j] = first[i] == second[j] ? pairs[i + 1][j + 1] + 1
                                          : std::max(pairs[i + 1][j], pairs[i][j + 1]);
    }
  }
  return pairs;
}

std::vector<std::string> keys_of(const Lines& lines) {
  std::vector<std::string> keys;
  for (const auto line : lines) keys.push_back(without_numbers(line));
  return keys;
}

}  // namespace

std::vector<LineDifference> compare_lines(std::string_view first, std::string_view second) {
  using Kind = LineDifference::Kind;
  const Lines one = lines_of(first), other = lines_of(second);
  const auto one_keys = keys_of(one), other_keys = keys_of(other);
  const auto pairs = pairs_from(one_keys, other_keys);
  std::vector<LineDifference> differences;
  std::size_t i = 0, j = 0;
  while (i < one.size() || j < other.size()) {
    const bool is_pair = i < one.size() && j < other.size() && one_keys[i] == other_keys[j];
    if (is_pair) {
      const std::string left(one[i++]), right(other[j++]);
      if (left != right) differences.push_back({Kind::numbers, left, right});
    } else if (j == other.size() || (i < one.size() && pairs[i + 1][j] >= pairs[i][j + 1])) {
      differences.push_back({Kind::only_first, std::string(one[i++]), {}});
    } else {
      differences.push_back({Kind::only_second, {}, std::string(other[j++])});
    }
  }
  return differences;
}

bool differs_in_words(const std::vector<LineDifference>& differences) {
  return std::any_of(differences.begin(), differences.end(), [](const LineDifference& one) {
    return one.kind != LineDifference::Kind::numbers;
  });
}

}  // namespace satellite::agent
