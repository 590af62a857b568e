#include "agent/packages/placement/semantic_version.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

namespace satellite::agent {
namespace {

constexpr std::size_t version_text_max = 256;
constexpr std::uint64_t number_max = 9'007'199'254'740'991;  // Number.MAX_SAFE_INTEGER

bool is_version_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_word_character(char c) {
  return is_version_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

int compare_parts(const SemanticVersion::Part& a, const SemanticVersion::Part& b) {
  if (a.index() != b.index()) return a.index() < b.index() ? -1 : 1;  // numbers come first
  return a < b ? -1 : b < a ? 1 : 0;
}

}  // namespace

int compare(const SemanticVersion& a, const SemanticVersion& b) {
  if (a.numbers != b.numbers) return a.numbers < b.numbers ? -1 : 1;
  // What comes before a release is less than the release.
  if (a.before.empty() || b.before.empty()) {
    return static_cast<int>(a.before.empty()) - static_cast<int>(b.before.empty());
  }
  const std::size_t shared = std::min(a.before.size(), b.before.size());
  for (std::size_t i = 0; i < shared; ++i) {
    const int difference = compare_parts(a.before[i], b.before[i]);
    if (difference != 0) return difference;
  }
  if (a.before.size() == b.before.size()) return 0;
  return a.before.size() < b.before.size() ? -1 : 1;
}

std::optional<std::uint64_t> parse_version_number(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint64_t number = 0;
  const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || rest != text.data() + text.size() || number > number_max) {
    return std::nullopt;
  }
  return number;
}

std::optional<std::vector<SemanticVersion::Part>> parse_before(std::string_view text) {
  std::vector<SemanticVersion::Part> parts;
  while (true) {
    const std::size_t end = std::min(text.find('.'), text.size());
    const std::string_view word = text.substr(0, end);
    if (word.empty() || !std::all_of(word.begin(), word.end(), is_word_character)) {
      return std::nullopt;
    }
    if (std::all_of(word.begin(), word.end(), is_version_digit)) {
      const auto number = parse_version_number(word);
      if (!number) return std::nullopt;
      parts.emplace_back(*number);
    } else {
      parts.emplace_back(std::string(word));
    }
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<SemanticVersion> parse_version(std::string_view text) {
  if (text.size() > version_text_max) return std::nullopt;
  while (!text.empty() && (text.front() == ' ' || text.front() == '=' || text.front() == 'v')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (const std::size_t plus = text.find('+'); plus != std::string_view::npos) {
    // Numbers of any spelling are words of the metadata, so each part only must be one.
    std::string_view metadata = text.substr(plus + 1);
    text = text.substr(0, plus);
    while (true) {
      const std::size_t end = std::min(metadata.find('.'), metadata.size());
      const std::string_view word = metadata.substr(0, end);
      if (word.empty() || !std::all_of(word.begin(), word.end(), is_word_character)) {
        return std::nullopt;
      }
      if (end == metadata.size()) break;
      metadata.remove_prefix(end + 1);
    }
  }
  SemanticVersion version;
  const std::size_t hyphen = std::min(text.find('-'), text.size());
  if (hyphen != text.size()) {
    auto before = parse_before(text.substr(hyphen + 1));
    if (!before) return std::nullopt;
    version.before = *std::move(before);
  }
  std::string_view numbers = text.substr(0, hyphen);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t end = i == 2 ? numbers.size() : numbers.find('.');
    if (end == std::string_view::npos) return std::nullopt;
    const auto number = parse_version_number(numbers.substr(0, end));
    if (!number) return std::nullopt;
    version.numbers.at(i) = *number;
    numbers.remove_prefix(std::min(end + 1, numbers.size()));
  }
  return version;
}

}  // namespace satellite::agent
