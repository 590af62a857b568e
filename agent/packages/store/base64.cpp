#include "agent/packages/store/base64.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace satellite::agent {
namespace {

constexpr std::string_view base64_letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t no_letter = 64;
constexpr std::size_t quads_of_a_piece = 16'384;

constexpr std::array<std::uint8_t, 256> make_base64_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(no_letter);
  for (std::size_t i = 0; i < base64_letters.size(); ++i) {
    values[static_cast<unsigned char>(base64_letters[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr std::array<std::uint8_t, 256> base64_values = make_base64_values();

}  // namespace

Result<void> decode_base64(std::string_view text,
                           const std::function<Result<void>(std::string_view)>& take) {
  const Error wrong{ErrorCode::invalid_input, "is not base64"};
  if (text.size() % 4 != 0) return wrong;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string piece;
  piece.reserve(quads_of_a_piece * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    const bool is_last = at + 4 == text.size();
    const std::size_t letters = is_last ? 4 - padding : 4;
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint8_t value =
          i < letters ? base64_values[static_cast<unsigned char>(text[at + i])] : std::uint8_t{0};
      if (value == no_letter) return wrong;
      bits = bits << 6U | value;
    }
    // Bits that no byte has must be zero, or one content would have many texts.
    if (letters < 4 && (bits & (letters == 3 ? 0xffU : 0xffffU)) != 0) return wrong;
    for (std::size_t i = 0; i + 1 < letters; ++i) {
      piece += static_cast<char>(bits >> (16U - 8U * i) & 0xffU);
    }
    if (piece.size() < quads_of_a_piece * 3 && !is_last) continue;
    if (const auto taken = take(piece); !taken) return taken.error();
    piece.clear();
  }
  return {};
}

}  // namespace satellite::agent
