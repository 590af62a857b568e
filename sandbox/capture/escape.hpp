#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace satellite::sandbox {

inline bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

inline bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Whether more text may follow what is there.
enum class TextEnd { open, final };

/// The families of escapes that writers of text use, as bits of a set.
using EscapeSet = std::uint8_t;
namespace escapes {
inline constexpr EscapeSet none = 0;
inline constexpr EscapeSet backslash = 1U << 0U;     ///< `\"` `\n` `\x41` `\101` `\u00e4` `\ `
inline constexpr EscapeSet percent = 1U << 1U;       ///< `%2F` `%u00e4`
inline constexpr EscapeSet ampersand = 1U << 2U;     ///< `&lt;` `&#228;` `&#xE4;`
inline constexpr EscapeSet equals = 1U << 3U;        ///< `=C3`, soft line breaks
inline constexpr EscapeSet plus = 1U << 4U;          ///< `+` for a space
inline constexpr EscapeSet single_quote = 1U << 5U;  ///< `'\''` `'"'"'` `''`, quotes in a word
inline constexpr EscapeSet double_quote = 1U << 6U;  ///< `""`, quotes in a word
}  // namespace escapes

/// The family that a character introduces, or none.
EscapeSet family_of(char c);

/// The character that introduces a family.
char introducer_of(EscapeSet family);

/// One escape at the front of a text, decoded.
///
/// Shape:  some escapes can be read in two ways (`\xe4` as a byte or as a code point, `\n` as a
///         line break or as an escaped letter); the matcher takes the one that fits.
struct Escape {
  enum class Kind {
    none,        ///< no escape of this family stands here
    unfinished,  ///< more text has to come before it can be told
    bytes,
    nothing,  ///< it stands for no byte at all, unless one of its readings fits: a soft line break
  };
  struct Reading {
    std::array<char, 4> bytes{};
    std::size_t size = 0;
    std::string_view view() const { return {bytes.data(), size}; }
  };
  Kind kind = Kind::none;
  std::size_t size = 0;  ///< in the text
  std::array<Reading, 2> readings{};
  std::size_t reading_count = 0;
};

/// Decodes the escape of the families backslash, percent, ampersand or equals that `text` begins
/// with. Source: RFC 8259, 3986, 2045; HTML 4 and 5 entities; bash(1) QUOTING; C and Python
/// literals.
Escape escape_at(std::string_view text, TextEnd end);

}  // namespace satellite::sandbox
