#include "agent/javascript/unicode_case.hpp"

#include <locale.h>
#include <wctype.h>

#include <algorithm>
#include <array>

namespace satellite::agent {
namespace {

struct SpecialCase {
  char32_t letter;
  std::string_view upper;
};

// Letters whose upper case is several, from Unicode's SpecialCasing.txt: those in which an ASCII
// letter comes out, since they decide names of variables. And two that a locale may lack.
constexpr std::array<SpecialCase, 18> special_cases{{
    {U'\u00DF', "SS"},
    {U'\u0131', "I"},
    {U'\u0149', "\u02BCN"},
    {U'\u017F', "S"},
    {U'\u01F0', "J\u030C"},
    {U'\u1E96', "H\u0331"},
    {U'\u1E97', "T\u0308"},
    {U'\u1E98', "W\u030A"},
    {U'\u1E99', "Y\u030A"},
    {U'\u1E9A', "A\u02BE"},
    {U'\uFB00', "FF"},
    {U'\uFB01', "FI"},
    {U'\uFB02', "FL"},
    {U'\uFB03', "FFI"},
    {U'\uFB04', "FFL"},
    {U'\uFB05', "ST"},
    {U'\uFB06', "ST"},
    {U'\u0587', "\u0535\u0552"},
}};

locale_t unicode_locale() {
  static const locale_t locale = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

char32_t simple_case(char32_t letter, bool upper) {
  if (letter < 0x80) {
    const bool changes =
        upper ? letter >= U'a' && letter <= U'z' : letter >= U'A' && letter <= U'Z';
    return changes ? letter ^ 0x20U : letter;
  }
  const locale_t locale = unicode_locale();
  if (locale == nullptr) return letter;
  const auto wide = static_cast<wint_t>(letter);
  return static_cast<char32_t>(upper ? ::towupper_l(wide, locale) : ::towlower_l(wide, locale));
}

void append_utf8(std::string& out, char32_t letter) {
  const auto put = [&out](char32_t byte) { out += static_cast<char>(byte); };
  if (letter < 0x80) {
    put(letter);
  } else if (letter < 0x800) {
    put(0xC0U | (letter >> 6U));
    put(0x80U | (letter & 0x3FU));
  } else if (letter < 0x10000) {
    put(0xE0U | (letter >> 12U));
    put(0x80U | ((letter >> 6U) & 0x3FU));
    put(0x80U | (letter & 0x3FU));
  } else {
    put(0xF0U | (letter >> 18U));
    put(0x80U | ((letter >> 12U) & 0x3FU));
    put(0x80U | ((letter >> 6U) & 0x3FU));
    put(0x80U | (letter & 0x3FU));
  }
}

/// The code point at the front, which is taken off; a broken byte stands for itself.
char32_t take_letter(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t letter = length == 1 ? lead : lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length && i < text.size(); ++i) {
    letter = (letter << 6U) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  text.remove_prefix(std::min(length, text.size()));
  return letter;
}

void append_upper(std::string& out, char32_t letter) {
  const auto special =
      std::find_if(special_cases.begin(), special_cases.end(),
                   [letter](const SpecialCase& entry) { return entry.letter == letter; });
  if (special != special_cases.end()) {
    out += special->upper;
  } else {
    append_utf8(out, simple_case(letter, true));
  }
}

}  // namespace

std::string upper_case(std::string_view text) {
  std::string out;
  while (!text.empty()) append_upper(out, take_letter(text));
  return out;
}

std::string lower_case(std::string_view text) {
  std::string out;
  while (!text.empty()) append_utf8(out, simple_case(take_letter(text), false));
  return out;
}

std::string capitalised(std::string_view text) {
  std::string out;
  if (text.empty()) return out;
  // A character past U+FFFF is two UTF-16 units, whose first alone has no upper case.
  const bool is_wide = static_cast<unsigned char>(text.front()) >= 0xF0U;
  if (!is_wide) append_upper(out, take_letter(text));
  return out.append(text);
}

}  // namespace satellite::agent
