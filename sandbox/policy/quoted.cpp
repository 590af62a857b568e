#include "sandbox/policy/quoted.hpp"

#include <cstddef>

namespace satellite::sandbox {

std::string quoted_text(std::string_view value) {
  constexpr std::size_t size_max = 80;
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text = "\"";
  for (const char c : value.substr(0, size_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (byte < 0x20 || byte > 0x7e) {
      text += "\\x";
      text += digits[byte >> 4U];
      text += digits[byte & 0xfU];
    } else {
      text += c;
    }
  }
  text += value.size() > size_max ? "…\"" : "\"";
  return text;
}

}  // namespace satellite::sandbox
