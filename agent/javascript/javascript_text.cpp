#include "agent/javascript/javascript_text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace satellite::agent {

std::string javascript_number_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  if (number == 0) return "0";

  std::array<char, 32> buffer{};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(),
                                     std::fabs(number), std::chars_format::scientific);
  const std::string scientific(buffer.data(), written.ptr);
  const std::size_t exponent_at = scientific.find('e');
  std::string digits = scientific.substr(0, exponent_at);
  if (digits.size() > 1) digits.erase(1, 1);  // the point behind the first digit
  const int count = static_cast<int>(digits.size());
  // The decimal point stands behind this many digits.
  const int point = std::atoi(scientific.c_str() + exponent_at + 1) + 1;

  std::string text;
  if (point >= count && point <= 21) {
    text = digits + std::string(static_cast<std::size_t>(point - count), '0');
  } else if (point > 0 && point <= 21) {
    text = digits.insert(static_cast<std::size_t>(point), ".");
  } else if (point > -6 && point <= 0) {
    text = "0." + std::string(static_cast<std::size_t>(-point), '0') + digits;
  } else {
    if (count > 1) digits.insert(1, ".");
    const int exponent = point - 1;
    text = digits + "e" + (exponent < 0 ? "-" : "+") + std::to_string(std::abs(exponent));
  }
  return number < 0 ? "-" + text : text;
}

std::string javascript_trimmed(std::string_view text) {
  static const std::array<std::string_view, 26> spaces{
      " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\u00A0", "\u1680", "\u2000",
      "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009",
      "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000", "\uFEFF", ""};
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view space : spaces) {
      if (space.empty() || text.empty()) continue;
      if (text.starts_with(space)) text.remove_prefix(space.size()), again = true;
      if (text.ends_with(space)) text.remove_suffix(space.size()), again = true;
    }
  }
  return std::string(text);
}

}  // namespace satellite::agent
