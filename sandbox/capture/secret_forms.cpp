#include "sandbox/capture/secret_patterns.hpp"

#include <algorithm>

namespace satellite::sandbox {
namespace {

constexpr std::size_t secret_size_min = 4;

enum class HexCase { upper, lower };

std::string hex_of(unsigned value, unsigned digits, HexCase hex_case) {
  const std::string_view alphabet =
      hex_case == HexCase::upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string text;
  for (unsigned digit = digits; digit-- > 0;) text += alphabet[(value >> (4 * digit)) & 0xFU];
  return text;
}

enum class Slash { plain, escaped };

/// As most writers of JSON escape; a few also escape the slash.
std::string json_form(std::string_view secret, Slash slash) {
  std::string text;
  for (const char c : secret) {
    switch (c) {
      case '"':
        text += "\\\"";
        break;
      case '\\':
        text += "\\\\";
        break;
      case '\b':
        text += "\\b";
        break;
      case '\f':
        text += "\\f";
        break;
      case '\n':
        text += "\\n";
        break;
      case '\r':
        text += "\\r";
        break;
      case '\t':
        text += "\\t";
        break;
      case '/':
        text += slash == Slash::escaped ? "\\/" : "/";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          text += "\\u" + hex_of(static_cast<unsigned char>(c), 4, HexCase::lower);
        } else {
          text += c;
        }
    }
  }
  return text;
}

enum class UrlStyle { component, form };

bool stays_in_url(char c, UrlStyle style) {
  const bool alphanumeric =
      (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  // encodeURIComponent leaves !'()* alone, form encoders and most others do not.
  return alphanumeric ||
         std::string_view(style == UrlStyle::component ? "-_.~!'()*" : "-_.~").find(c) !=
             std::string_view::npos;
}

std::string url_form(std::string_view secret, UrlStyle style, HexCase hex_case) {
  std::string text;
  for (const char c : secret) {
    if (stays_in_url(c, style)) {
      text += c;
    } else if (c == ' ' && style == UrlStyle::form) {
      text += '+';
    } else {
      text += '%' + hex_of(static_cast<unsigned char>(c), 2, hex_case);
    }
  }
  return text;
}

/// The base64 characters that only the secret decides when `offset` bytes stand before it.
std::string base64_core(std::string_view secret, std::size_t offset, std::string_view alphabet) {
  const std::size_t first_bit = 8 * offset;
  const std::size_t end_bit = first_bit + 8 * secret.size();
  const auto bit_at = [&](std::size_t bit) -> unsigned {
    const auto byte = static_cast<unsigned char>(secret[bit / 8 - offset]);
    return (byte >> (7 - bit % 8)) & 1U;
  };
  std::string text;
  for (std::size_t bit = (first_bit + 5) / 6 * 6; bit + 6 <= end_bit; bit += 6) {
    unsigned value = 0;
    for (std::size_t i = 0; i < 6; ++i) value = value << 1U | bit_at(bit + i);
    text += alphabet[value];
  }
  return text;
}

}  // namespace

std::vector<std::string> forms_of_secret(std::string_view secret) {
  if (secret.size() < secret_size_min) return {};
  std::vector<std::string> forms{std::string(secret)};
  const auto add = [&forms](std::string form) {
    if (form.size() < secret_size_min) return;
    if (std::find(forms.begin(), forms.end(), form) == forms.end()) {
      forms.push_back(std::move(form));
    }
  };
  for (const Slash slash : {Slash::plain, Slash::escaped}) add(json_form(secret, slash));
  for (const UrlStyle style : {UrlStyle::component, UrlStyle::form}) {
    for (const HexCase hex_case : {HexCase::upper, HexCase::lower}) {
      add(url_form(secret, style, hex_case));
    }
  }
  constexpr std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  for (const std::string_view last_two : {"+/", "-_"}) {
    const std::string alphabet = std::string(letters) + std::string(last_two);
    for (std::size_t offset = 0; offset < 3; ++offset) {
      add(base64_core(secret, offset, alphabet));
    }
  }
  return forms;
}

}  // namespace satellite::sandbox
