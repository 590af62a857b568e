#include "sandbox/capture/output_text.hpp"

#include "protocol/vocabulary/utf8.hpp"

#include <algorithm>

namespace satellite::sandbox {

std::string output_text(std::string_view bytes, OutputEnd end) {
  if (end == OutputEnd::cut) bytes.remove_suffix(unfinished_utf8_tail(bytes));
  const std::string decoded = decoded_with_replacement(bytes);
  return without_zero_bytes(trimmed_as_javascript(decoded));
}

std::string without_zero_bytes(std::string_view text) {
  constexpr std::string_view replacement = "\xEF\xBF\xBD";
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t zero = std::min(text.find('\0'), text.size());
    result += text.substr(0, zero);
    text.remove_prefix(zero);
    if (text.empty()) break;
    result += replacement;
    text.remove_prefix(1);
  }
  return result;
}

}  // namespace satellite::sandbox
