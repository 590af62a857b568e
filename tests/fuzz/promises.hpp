#pragma once

#include "protocol/vocabulary/error.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace satellite::fuzz {

using Broken = std::optional<std::string>;

/// An error is a line for people and never a way for foreign bytes into a log: one line, bounded,
/// without control characters. Letters of other alphabets may be ours (`…`).
inline bool is_fit_for_log(const Error& error, std::size_t size_max = 1024) {
  return !error.message.empty() && error.message.size() <= size_max &&
         std::none_of(error.message.begin(), error.message.end(),
                      [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; });
}

inline Broken unless_fit_for_log(const Error& error, std::size_t size_max = 1024) {
  if (is_fit_for_log(error, size_max)) return std::nullopt;
  return "an error that is not fit for a log: " + error.message;
}

/// The two parts of an input.
inline std::pair<std::string_view, std::string_view> divided(std::string_view input) {
  const auto divider = input.find('\0');
  if (divider == std::string_view::npos) return {input, {}};
  return {input.substr(0, divider), input.substr(divider + 1)};
}

inline std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    lines.emplace_back(line);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return lines;
}

}  // namespace satellite::fuzz
