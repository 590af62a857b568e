#include "protocol/vocabulary/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace satellite {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

std::uint8_t at(std::string_view bytes, std::size_t index) {
  return static_cast<std::uint8_t>(bytes[index]);
}

/// First position from `index` on that is not ASCII.
std::size_t skip_ascii(std::string_view bytes, std::size_t index) {
  constexpr std::uint64_t high_bits = 0x8080808080808080U;
  constexpr std::size_t stride = 4 * sizeof(std::uint64_t);
  while (index + stride <= bytes.size()) {
    std::array<std::uint64_t, 4> words{};
    std::memcpy(words.data(), bytes.data() + index, stride);
    if (((words[0] | words[1] | words[2] | words[3]) & high_bits) != 0) break;
    index += stride;
  }
  while (index < bytes.size() && at(bytes, index) < 0x80) ++index;
  return index;
}

struct Sequence {
  std::size_t wanted = 0;  ///< bytes of the code point, 0 = no code point can begin like this
  std::size_t valid = 0;   ///< how many of them are there and right
  bool complete() const { return wanted != 0 && valid == wanted; }
};

/// The sequence that begins at `index`, which is not an ASCII byte. The second byte's range depends
/// on the first: that is where overlong forms, surrogates and too large values are told apart.
Sequence sequence_at(std::string_view bytes, std::size_t index) {
  const std::uint8_t first = at(bytes, index);
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
  Sequence sequence;
  if (first >= 0xC2 && first <= 0xDF) {
    sequence.wanted = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    sequence.wanted = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    sequence.wanted = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return sequence;
  }
  sequence.valid = 1;
  while (sequence.valid < sequence.wanted && index + sequence.valid < bytes.size()) {
    const std::uint8_t next = at(bytes, index + sequence.valid);
    if (next < low || next > high) break;
    low = 0x80;
    high = 0xBF;
    ++sequence.valid;
  }
  return sequence;
}

/// Bytes of the white space character at the start of `text`, or 0.
std::size_t leading_blank(std::string_view text) {
  static constexpr std::array<std::string_view, 25> blanks{" ",
                                                           "\t",
                                                           "\n",
                                                           "\v",
                                                           "\f",
                                                           "\r",
                                                           "\xC2\xA0",
                                                           byte_order_mark,
                                                           "\xE1\x9A\x80",
                                                           "\xE2\x80\x80",
                                                           "\xE2\x80\x81",
                                                           "\xE2\x80\x82",
                                                           "\xE2\x80\x83",
                                                           "\xE2\x80\x84",
                                                           "\xE2\x80\x85",
                                                           "\xE2\x80\x86",
                                                           "\xE2\x80\x87",
                                                           "\xE2\x80\x88",
                                                           "\xE2\x80\x89",
                                                           "\xE2\x80\x8A",
                                                           "\xE2\x80\xA8",
                                                           "\xE2\x80\xA9",
                                                           "\xE2\x80\xAF",
                                                           "\xE2\x81\x9F",
                                                           "\xE3\x80\x80"};
  for (const auto blank : blanks) {
    if (text.starts_with(blank)) return blank.size();
  }
  return 0;
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view bytes) {
  std::size_t index = 0;
  while (true) {
    index = skip_ascii(bytes, index);
    if (index == bytes.size()) return index;
    const Sequence sequence = sequence_at(bytes, index);
    if (!sequence.complete()) return index;
    index += sequence.wanted;
  }
}

std::size_t unfinished_utf8_tail(std::string_view bytes) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(3, bytes.size()); ++length) {
    const std::size_t start = bytes.size() - length;
    if ((at(bytes, start) & 0xC0U) == 0x80U) continue;  // a continuation byte: the start is earlier
    if (at(bytes, start) < 0x80) return 0;
    const Sequence sequence = sequence_at(bytes, start);
    const bool unfinished = sequence.valid == length && sequence.wanted > length;
    return unfinished ? length : 0;
  }
  return 0;
}

std::string_view cut_on_code_point(std::string_view bytes, std::size_t size) {
  if (bytes.size() <= size) return bytes;
  const std::string_view head = bytes.substr(0, size);
  return head.substr(0, head.size() - unfinished_utf8_tail(head));
}

std::string decoded_with_replacement(std::string_view bytes) {
  if (bytes.starts_with(byte_order_mark)) bytes.remove_prefix(byte_order_mark.size());
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t good = valid_utf8_prefix(bytes);
    text += bytes.substr(0, good);
    bytes.remove_prefix(good);
    if (bytes.empty()) break;
    text += replacement;
    bytes.remove_prefix(std::max<std::size_t>(1, sequence_at(bytes, 0).valid));
  }
  return text;
}

std::string_view trimmed_as_javascript(std::string_view text) {
  while (const std::size_t blank = leading_blank(text)) text.remove_prefix(blank);
  while (!text.empty()) {
    // A white space character has one, two or three bytes; the last one may be any of them.
    std::size_t removed = 0;
    for (std::size_t length = 1; length <= std::min<std::size_t>(3, text.size()); ++length) {
      if (leading_blank(text.substr(text.size() - length)) == length) removed = length;
    }
    if (removed == 0) break;
    text.remove_suffix(removed);
  }
  return text;
}

}  // namespace satellite
