#include "tests/vectors/masked_text.hpp"

#include "sandbox/capture/masker.hpp"

#include <algorithm>
#include <string_view>

namespace satellite::sandbox {
namespace {

/// Length in UTF-16 units of UTF-8 text: a code point of four bytes takes two.
std::size_t utf16_size(std::string_view text) {
  std::size_t units = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) != 0x80U) units += byte >= 0xF0 ? 2 : 1;
  }
  return units;
}

std::vector<std::string> maskable(std::vector<std::string> values) {
  constexpr std::size_t units_min = 4;
  std::erase_if(values, [](const std::string& value) { return utf16_size(value) < units_min; });
  std::stable_sort(values.begin(), values.end(),
                   [](const auto& a, const auto& b) { return utf16_size(a) > utf16_size(b); });
  return values;
}

void replace_all(std::string& text, std::string_view value) {
  for (std::size_t at = text.find(value); at != std::string::npos;
       at = text.find(value, at + mask_text.size())) {
    text.replace(at, value.size(), mask_text);
  }
}

}  // namespace

std::string mask_secrets(std::string text, const std::vector<std::string>& values) {
  for (const auto& value : maskable(values)) replace_all(text, value);
  return text;
}

nlohmann::ordered_json mask_secrets_deep(const nlohmann::ordered_json& value,
                                         const std::vector<std::string>& values) {
  if (value.is_string()) return mask_secrets(value.get<std::string>(), values);
  if (value.is_array()) {
    auto copy = nlohmann::ordered_json::array();
    for (const auto& element : value) copy.push_back(mask_secrets_deep(element, values));
    return copy;
  }
  if (value.is_object()) {
    auto copy = nlohmann::ordered_json::object();
    for (const auto& [key, element] : value.items()) {
      copy[mask_secrets(key, values)] = mask_secrets_deep(element, values);
    }
    return copy;
  }
  return value;
}

}  // namespace satellite::sandbox
