#include "protocol/encoding/json_text.hpp"

#include <array>
#include <cstdint>
#include <cstring>

// Written by hand, because script output is the one stream that has to keep up with a pipe:
// nlohmann's dump walks byte by byte through a decoder, at about a tenth of the speed.

namespace satellite::protocol {
namespace {

constexpr std::uint64_t every_byte(unsigned char byte) {
  return 0x0101010101010101U * byte;
}

/// A word of which some byte is zero; may also name a byte that is not, which costs only time.
constexpr std::uint64_t zero_bytes(std::uint64_t word) {
  return (word - every_byte(0x01)) & ~word & every_byte(0x80);
}

/// True if none of eight bytes needs an escape or belongs to a multi-byte code point.
bool is_plain_word(const char* bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  const std::uint64_t below_space = (word - every_byte(0x20)) & ~word;
  return ((word | below_space) & every_byte(0x80)) == 0 &&
         zero_bytes(word ^ every_byte('"')) == 0 && zero_bytes(word ^ every_byte('\\')) == 0;
}

bool is_continuation(unsigned char byte) {
  return (byte & 0xC0U) == 0x80U;
}

/// Length of the well-formed code point of two to four bytes at the front, else 0: no overlong
/// forms, no surrogates, nothing past U+10FFFF (Unicode 15, table 3-7).
std::size_t code_point_size(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  if (lead >= 0xC2 && lead <= 0xDF) return text.size() >= 2 && is_continuation(at(1)) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (text.size() < 3 || !is_continuation(at(1)) || !is_continuation(at(2))) return 0;
    const bool overlong = lead == 0xE0 && at(1) < 0xA0;
    const bool surrogate = lead == 0xED && at(1) > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (text.size() < 4 || !is_continuation(at(1)) || !is_continuation(at(2)) ||
        !is_continuation(at(3))) {
      return 0;
    }
    const bool overlong = lead == 0xF0 && at(1) < 0x90;
    const bool too_far = lead == 0xF4 && at(1) > 0x8F;
    return overlong || too_far ? 0 : 4;
  }
  return 0;
}

constexpr std::size_t escape_size_max = 6;  // \u00XX

void append_escape(std::string& frame, unsigned char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  switch (c) {
    case '"':
      frame += "\\\"";
      return;
    case '\\':
      frame += "\\\\";
      return;
    case '\n':
      frame += "\\n";
      return;
    case '\r':
      frame += "\\r";
      return;
    case '\t':
      frame += "\\t";
      return;
    default:
      break;
  }
  const std::array<char, escape_size_max> escape{
      '\\', 'u', '0', '0', digits[c >> 4U], digits[c & 0x0FU]};
  frame.append(escape.data(), escape.size());
}

}  // namespace

bool append_json_string(std::string& frame, std::string_view text) {
  const std::size_t frame_size = frame.size();
  frame += '"';
  std::size_t copied = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    if (text.size() - at >= sizeof(std::uint64_t) && is_plain_word(text.data() + at)) {
      at += sizeof(std::uint64_t);
      continue;
    }
    const auto c = static_cast<unsigned char>(text[at]);
    if (c >= 0x80) {
      const std::size_t size = code_point_size(text.substr(at));
      if (size == 0) {
        frame.resize(frame_size);
        return false;
      }
      at += size;
    } else if (c < 0x20 || c == '"' || c == '\\') {
      // Once for the worst case: a frame that grows bit by bit costs more in page faults than in
      // work, and pages that stay unused cost nothing.
      if (frame.capacity() - frame.size() < at - copied + escape_size_max) {
        frame.reserve(frame.size() + escape_size_max * (text.size() - copied) + 1);
      }
      frame.append(text, copied, at - copied);
      append_escape(frame, c);
      copied = ++at;
    } else {
      ++at;
    }
  }
  frame.append(text, copied);
  frame += '"';
  return true;
}

}  // namespace satellite::protocol
