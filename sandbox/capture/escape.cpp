#include "sandbox/capture/escape.hpp"

#include "sandbox/capture/html_entities.hpp"

#include <algorithm>
#include <optional>

namespace satellite::sandbox {
namespace {

constexpr std::size_t entity_size_max = 20;
constexpr std::uint32_t code_point_max = 0x10FFFF;

Escape::Reading reading_of(std::uint32_t code_point) {
  Escape::Reading reading;
  const auto add = [&reading](std::uint32_t byte) {
    reading.bytes[reading.size++] = static_cast<char>(static_cast<unsigned char>(byte));
  };
  if (code_point < 0x80) {
    add(code_point);
  } else if (code_point < 0x800) {
    add(0xC0U | code_point >> 6U);
    add(0x80U | (code_point & 0x3FU));
  } else if (code_point < 0x10000) {
    add(0xE0U | code_point >> 12U);
    add(0x80U | (code_point >> 6U & 0x3FU));
    add(0x80U | (code_point & 0x3FU));
  } else {
    add(0xF0U | code_point >> 18U);
    add(0x80U | (code_point >> 12U & 0x3FU));
    add(0x80U | (code_point >> 6U & 0x3FU));
    add(0x80U | (code_point & 0x3FU));
  }
  return reading;
}

Escape undecided(TextEnd end) {
  Escape escape;
  if (end == TextEnd::open) escape.kind = Escape::Kind::unfinished;
  return escape;
}

/// An escape of `size` characters for a number that names a code point and, below 256, perhaps a
/// byte.
Escape of_number(std::uint32_t value, std::size_t size) {
  Escape escape;
  if (value > code_point_max) return escape;
  escape.kind = Escape::Kind::bytes;
  escape.size = size;
  escape.readings[escape.reading_count++] = reading_of(value);
  if (value >= 0x80 && value < 0x100) {
    Escape::Reading byte;
    byte.bytes[0] = static_cast<char>(static_cast<unsigned char>(value));
    byte.size = 1;
    escape.readings[escape.reading_count++] = byte;
  }
  return escape;
}

Escape of_nothing(std::size_t size) {
  Escape escape;
  escape.kind = Escape::Kind::nothing;
  escape.size = size;
  return escape;
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

struct Digits {
  std::uint32_t value = 0;
  std::size_t count = 0;
  bool cut = false;  ///< the text ended where another digit could have stood
};

Digits digits_at(std::string_view text, std::size_t at, int base, std::size_t count_max) {
  Digits digits;
  while (digits.count < count_max && at + digits.count < text.size() &&
         digit_value(text[at + digits.count]) < base) {
    digits.value = digits.value * static_cast<std::uint32_t>(base) +
                   static_cast<std::uint32_t>(digit_value(text[at + digits.count]));
    ++digits.count;
  }
  digits.cut = digits.count < count_max && at + digits.count == text.size();
  return digits;
}

/// Exactly `count` hexadecimal digits behind a start of `prefix` characters.
Escape fixed_number(std::string_view text, std::size_t prefix, std::size_t count, TextEnd end) {
  const Digits digits = digits_at(text, prefix, 16, count);
  if (digits.count == count) return of_number(digits.value, prefix + count);
  return digits.cut ? undecided(end) : Escape();
}

/// `{41}` behind `\u` or `\x`.
Escape braced_number(std::string_view text, TextEnd end) {
  constexpr std::size_t prefix = 3;
  const Digits digits = digits_at(text, prefix, 16, 6);
  const std::size_t close = prefix + digits.count;
  if (close >= text.size()) return undecided(end);
  if (digits.count == 0 || text[close] != '}') return {};
  return of_number(digits.value, close + 1);
}

/// `\u00e4` or `%u00e4`, and two of them for what is past U+FFFF.
Escape utf16_units(std::string_view text, TextEnd end) {
  constexpr std::size_t unit_size = 6;
  const Digits high = digits_at(text, 2, 16, 4);
  if (high.count < 4) return high.cut ? undecided(end) : Escape();
  if (high.value < 0xD800 || high.value > 0xDBFF) return of_number(high.value, unit_size);
  const std::string_view rest = text.substr(unit_size);
  const std::string_view start = text.substr(0, 2);
  if (rest.size() < 2) return start.starts_with(rest) ? undecided(end) : Escape();
  if (!rest.starts_with(start)) return {};
  const Digits low = digits_at(rest, 2, 16, 4);
  if (low.count < 4) return low.cut ? undecided(end) : Escape();
  if (low.value < 0xDC00 || low.value > 0xDFFF) return {};
  return of_number(0x10000 + ((high.value - 0xD800) << 10U) + (low.value - 0xDC00), 2 * unit_size);
}

/// A letter or sign behind a backslash: the control character that it names, or itself.
Escape escaped_character(char c) {
  constexpr std::string_view letters = "abtnvfreE";
  constexpr std::string_view meanings = "\a\b\t\n\v\f\r\x1b\x1b";
  Escape escape;
  escape.kind = Escape::Kind::bytes;
  escape.size = 2;
  const auto add = [&escape](char byte) {
    Escape::Reading reading;
    reading.bytes[0] = byte;
    reading.size = 1;
    escape.readings[escape.reading_count++] = reading;
  };
  const std::size_t known = letters.find(c);
  if (known != std::string_view::npos) add(meanings[known]);
  add(c);
  return escape;
}

Escape backslash_escape(std::string_view text, TextEnd end) {
  if (text.size() < 2) return undecided(end);
  const char c = text[1];
  if (c == '\n') {
    // A continued line, or a line break that was escaped by a writer that escapes every sign.
    Escape escape = escaped_character(c);
    escape.kind = Escape::Kind::nothing;
    return escape;
  }
  if (c >= '0' && c <= '7') {
    const Digits digits = digits_at(text, 1, 8, 3);
    if (digits.cut && end == TextEnd::open) return undecided(end);
    return of_number(digits.value & 0xFFU, 1 + digits.count);
  }
  Escape escape;
  if (c == 'x' || c == 'u' || c == 'U') {
    if (text.size() < 3) return end == TextEnd::open ? undecided(end) : escaped_character(c);
    if (text[2] == '{' && c != 'U') {
      escape = braced_number(text, end);
    } else if (c == 'u') {
      escape = utf16_units(text, end);
    } else {
      escape = fixed_number(text, 2, c == 'x' ? 2 : 8, end);
    }
  }
  return escape.kind == Escape::Kind::none ? escaped_character(c) : escape;
}

Escape percent_escape(std::string_view text, TextEnd end) {
  if (text.size() < 2) return undecided(end);
  return text[1] == 'u' ? utf16_units(text, end) : fixed_number(text, 1, 2, end);
}

Escape numbered_entity(std::string_view text, TextEnd end) {
  if (text.size() < 3) return undecided(end);
  const bool is_hexadecimal = text[2] == 'x' || text[2] == 'X';
  const std::size_t prefix = is_hexadecimal ? 3 : 2;
  const Digits digits = digits_at(text, prefix, is_hexadecimal ? 16 : 10, 7);
  const std::size_t close = prefix + digits.count;
  if (close >= text.size()) return undecided(end);
  if (digits.count == 0 || text[close] != ';') return {};
  return of_number(digits.value, close + 1);
}

Escape entity(std::string_view text, TextEnd end) {
  if (text.size() < 2) return undecided(end);
  if (text[1] == '#') return numbered_entity(text, end);
  const std::string_view window = text.substr(0, entity_size_max);
  const auto is_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const auto close = std::find_if_not(window.begin() + 1, window.end(), is_name);
  if (close == window.end()) {
    return window.size() < entity_size_max ? undecided(end) : Escape();
  }
  if (*close != ';') return {};
  const auto size = static_cast<std::size_t>(close - window.begin());
  const auto code_point = html_entity(window.substr(1, size - 1));
  return code_point ? of_number(*code_point, size + 1) : Escape();
}

/// Quoted-printable.
Escape equals_escape(std::string_view text, TextEnd end) {
  if (text.size() < 2) return undecided(end);
  if (text[1] == '\n') return of_nothing(2);
  if (text[1] == '\r') {
    if (text.size() < 3) return undecided(end);
    return text[2] == '\n' ? of_nothing(3) : Escape();
  }
  return fixed_number(text, 1, 2, end);
}

}  // namespace

EscapeSet family_of(char c) {
  switch (c) {
    case '\\':
      return escapes::backslash;
    case '%':
      return escapes::percent;
    case '&':
      return escapes::ampersand;
    case '=':
      return escapes::equals;
    case '+':
      return escapes::plus;
    case '\'':
      return escapes::single_quote;
    case '"':
      return escapes::double_quote;
    default:
      return escapes::none;
  }
}

char introducer_of(EscapeSet family) {
  constexpr std::string_view introducers = "\\%&=+'\"";
  const auto found = std::find_if(introducers.begin(), introducers.end(),
                                  [family](char c) { return family_of(c) == family; });
  return found == introducers.end() ? '\0' : *found;
}

Escape escape_at(std::string_view text, TextEnd end) {
  if (text.empty()) return undecided(end);
  switch (text[0]) {
    case '\\':
      return backslash_escape(text, end);
    case '%':
      return percent_escape(text, end);
    case '&':
      return entity(text, end);
    case '=':
      return equals_escape(text, end);
    default:
      return {};
  }
}

}  // namespace satellite::sandbox
