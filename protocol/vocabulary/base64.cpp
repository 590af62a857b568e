#include "protocol/vocabulary/base64.hpp"

#include <cstddef>
#include <cstdint>

namespace satellite {

void append_base64(std::string& text, std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::size_t out = text.size();
  text.resize(out + (bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = bytes.size() - at;
    const auto byte = [&](std::size_t i) -> std::uint32_t {
      return i < count ? static_cast<unsigned char>(bytes[at + i]) : 0;
    };
    const std::uint32_t group = byte(0) << 16U | byte(1) << 8U | byte(2);
    text[out++] = digits[group >> 18U];
    text[out++] = digits[group >> 12U & 0x3FU];
    text[out++] = count > 1 ? digits[group >> 6U & 0x3FU] : '=';
    text[out++] = count > 2 ? digits[group & 0x3FU] : '=';
  }
}

}  // namespace satellite
