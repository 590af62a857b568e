// Which forms a secret has. How each of them is found in a text is in form_match.cpp.
#include "sandbox/capture/secret_forms.hpp"

#include "protocol/vocabulary/secret.hpp"
#include "protocol/vocabulary/utf8.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace satellite::sandbox {
namespace {

using Alphabet = SecretForm::Alphabet;

constexpr std::size_t secret_size_min = 4;
/// From here on a form of a few letters cannot be an ordinary word by chance.
constexpr std::size_t every_form_size_min = 8;
constexpr std::size_t form_size_min = 4;

/// How a long form is cut: pieces of `size`, a new one each `step` units, so that neighbours
/// overlap and their masks become one.
struct Pieces {
  std::size_t size, step;
};
constexpr Pieces text_pieces{128, 96};
// 32 bytes: two lines of a dump, which are held back together until they are whole.
constexpr Pieces hexadecimal_pieces{64, 32};

constexpr std::array<EscapeSet, 7> families{
    escapes::backslash, escapes::percent,      escapes::ampersand,   escapes::equals,
    escapes::plus,      escapes::single_quote, escapes::double_quote};

class Forms {
 public:
  /// The form in pieces, unless it is there already or too short.
  void add(std::string units, Alphabet alphabet, EscapeSet escaped) {
    const Pieces pieces = alphabet == Alphabet::hexadecimal ? hexadecimal_pieces : text_pieces;
    if (units.size() >= form_size_min) {
      std::size_t from = 0;
      while (from + pieces.size < units.size()) {
        add_piece(units.substr(from, pieces.size), alphabet, escaped);
        from += pieces.step;
      }
      // The last one is as long as the others, where there are others.
      if (from > 0) from = units.size() - pieces.size;
      add_piece(units.substr(from), alphabet, escaped);
    }
    wipe(units);
  }
  std::vector<SecretForm> take() { return std::move(forms_); }

 private:
  void add_piece(std::string units, Alphabet alphabet, EscapeSet escaped) {
    const auto is_escape = [escaped](char c) { return (family_of(c) & escaped) != 0; };
    const auto plain_end = std::find_if(units.begin(), units.end(), is_escape);
    const auto plain_size = static_cast<std::size_t>(plain_end - units.begin());
    forms_.push_back(SecretForm{std::move(units), alphabet, escaped, plain_size});
  }
  std::vector<SecretForm> forms_;
};

/// The characters of an encoding with `digit_bits` bits each that only the secret decides when it
/// begins `lead_bits` bits into its first one.
std::string digits_of(std::string_view secret, std::size_t lead_bits, std::size_t digit_bits,
                      std::string_view alphabet) {
  const std::size_t end_bit = lead_bits + 8 * secret.size();
  const auto bit_at = [&](std::size_t bit) -> unsigned {
    const auto byte = static_cast<unsigned char>(secret[(bit - lead_bits) / 8]);
    return (byte >> (7 - (bit - lead_bits) % 8)) & 1U;
  };
  std::string text;
  text.reserve(end_bit / digit_bits);
  for (std::size_t bit = lead_bits == 0 ? 0 : digit_bits; bit + digit_bits <= end_bit;
       bit += digit_bits) {
    unsigned value = 0;
    for (std::size_t i = 0; i < digit_bits; ++i) value = value << 1U | bit_at(bit + i);
    text += alphabet[value];
  }
  return text;
}

/// The secret's own characters: written as they are, and with each family of escapes that its own
/// characters would be mistaken for.
void add_text_forms(std::string_view secret, Forms& forms) {
  EscapeSet own = escapes::none;
  for (const char c : secret) own |= family_of(c);
  EscapeSet always = escapes::none;
  for (const EscapeSet family : families) {
    if ((own & family) == 0) always |= family;
  }
  // A plus stands for nothing else where the secret has no space.
  if (secret.find(' ') == std::string_view::npos) always &= static_cast<EscapeSet>(~escapes::plus);
  const auto add = [&](EscapeSet escaped) {
    forms.add(std::string(secret), Alphabet::text, escaped);
  };
  add(always);
  for (const EscapeSet family : families) {
    if ((own & family) != 0) add(always | family);
  }
  constexpr EscapeSet of_forms = escapes::percent | escapes::plus;
  if ((own & of_forms) == of_forms) add(always | of_forms);
}

void add_base64_forms(std::string_view secret, Forms& forms) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr EscapeSet escaped =
      escapes::backslash | escapes::percent | escapes::ampersand | escapes::equals;
  for (const std::size_t lead_bits : {0U, 2U, 4U}) {
    forms.add(digits_of(secret, lead_bits, 6, alphabet), Alphabet::base64, escaped);
  }
}

void add_base32_forms(std::string_view secret, Forms& forms) {
  constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";
  constexpr EscapeSet escaped =
      escapes::backslash | escapes::percent | escapes::ampersand | escapes::equals;
  for (std::size_t lead_bits = 0; lead_bits < 5; ++lead_bits) {
    forms.add(digits_of(secret, lead_bits, 5, alphabet), Alphabet::base32, escaped);
  }
}

enum class ByteOrder { little, big };

/// Code points of valid UTF-8 as UTF-16.
std::string utf16_of(std::string_view text, ByteOrder order) {
  std::string bytes;
  const auto add = [&](std::uint32_t unit) {
    const auto high = static_cast<char>(static_cast<unsigned char>(unit >> 8U));
    const auto low = static_cast<char>(static_cast<unsigned char>(unit & 0xFFU));
    bytes += order == ByteOrder::big ? high : low;
    bytes += order == ByteOrder::big ? low : high;
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t code_point = size == 1 ? lead : lead & (0xFFU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
      code_point = code_point << 6U | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
    }
    if (code_point < 0x10000) {
      add(code_point);
    } else {
      add(0xD800 + ((code_point - 0x10000) >> 10U));
      add(0xDC00 + ((code_point - 0x10000) & 0x3FFU));
    }
    at += size;
  }
  return bytes;
}

}  // namespace

std::vector<SecretForm> forms_of_secret(std::string_view secret) {
  Forms forms;
  if (secret.size() < secret_size_min) return forms.take();
  add_text_forms(secret, forms);
  add_base64_forms(secret, forms);
  if (secret.size() >= every_form_size_min) {
    forms.add(digits_of(secret, 0, 4, "0123456789abcdef"), Alphabet::hexadecimal, escapes::none);
    add_base32_forms(secret, forms);
    if (valid_utf8_prefix(secret) == secret.size()) {
      for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        forms.add(utf16_of(secret, order), Alphabet::text, escapes::none);
      }
    }
  }
  return forms.take();
}

}  // namespace satellite::sandbox
