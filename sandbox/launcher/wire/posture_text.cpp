#include "sandbox/launcher/wire/posture_text.hpp"

#include <array>
#include <cstdio>
#include <limits>

namespace satellite::sandbox {

std::string_view name_of_limit(std::size_t resource) {
  constexpr std::array<std::string_view, 4> names{"cpu", "nofile", "nproc", "fsize"};
  return names[resource];
}

std::string hexadecimal(std::uint64_t number) {
  char text[17];
  std::snprintf(text, sizeof(text), "%llx", static_cast<unsigned long long>(number));
  return text;
}

std::string limit_text(std::uint64_t value) {
  if (value == std::numeric_limits<std::uint64_t>::max()) return "unlimited";
  return std::to_string(value);
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text;
}

}  // namespace satellite::sandbox
