#include "protocol/vocabulary/lone_surrogates.hpp"

#include <charconv>
#include <cstdint>

namespace satellite {
namespace {

constexpr std::size_t escape_size = 6;  // \uXXXX

/// The unit that a `\uXXXX` at `at` stands for; 0 if there is no such escape.
std::uint32_t unit_at(std::string_view text, std::size_t at) {
  if (at + escape_size > text.size() || text[at] != '\\' || text[at + 1] != 'u') return 0;
  std::uint32_t unit = 0;
  const char* first = text.data() + at + 2;
  const char* last = text.data() + at + escape_size;
  const auto [end, problem] = std::from_chars(first, last, unit, 16);
  return problem == std::errc() && end == last ? unit : 0;
}

bool is_high(std::uint32_t unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
bool is_low(std::uint32_t unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

}  // namespace

std::optional<std::string> replace_lone_surrogates(std::string_view text) {
  std::string repaired;
  std::size_t copied = 0;
  std::size_t at = text.find('\\');
  while (at != std::string_view::npos) {
    const std::uint32_t unit = unit_at(text, at);
    std::size_t size = unit == 0 ? 2 : escape_size;
    if (is_high(unit) && is_low(unit_at(text, at + escape_size))) {
      size = 2 * escape_size;
    } else if (is_high(unit) || is_low(unit)) {
      repaired.append(text, copied, at - copied);
      repaired += "\\ufffd";
      copied = at + escape_size;
    }
    at = text.find('\\', at + size);
  }
  if (repaired.empty()) return std::nullopt;
  repaired.append(text, copied);
  return repaired;
}

}  // namespace satellite
