#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace satellite {

/// Bytes from the start that are whole, valid UTF-8 code points.
///
/// Shape:  RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. ASCII is checked
///         many bytes at a time, since it is nearly all that scripts write.
std::size_t valid_utf8_prefix(std::string_view bytes);

inline bool is_valid_utf8(std::string_view bytes) {
  return valid_utf8_prefix(bytes) == bytes.size();
}

/// Whether a text begins as editors write UTF-16: with its mark, or with ASCII in two bytes.
inline bool looks_like_utf16(std::string_view bytes) {
  return bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff") ||
         bytes.substr(0, 2).find('\0') != std::string_view::npos;
}

/// How many bytes at the end (0 to 3) begin a code point that is valid so far and not finished.
std::size_t unfinished_utf8_tail(std::string_view bytes);

/// The longest prefix of at most `size` bytes that does not end inside a code point.
std::string_view cut_on_code_point(std::string_view bytes, std::size_t size);

/// Bytes as a browser's decoder reads them: one U+FFFD per broken sequence, a leading byte order
/// mark removed. Source: WHATWG Encoding, "UTF-8 decode".
std::string decoded_with_replacement(std::string_view bytes);

/// Without the white space that JavaScript's trim() removes at both ends.
std::string_view trimmed_as_javascript(std::string_view text);

}  // namespace satellite
