#include "tests/devcore/codec/output_scanner.hpp"

#include "protocol/vocabulary/limits.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>

namespace satellite::devcore {
namespace {

using protocol::OutputStream;
using protocol::ScriptOutput;

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool skip(std::string_view expected) {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  std::optional<std::uint64_t> number() {
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    // JSON has no leading zeros.
    if (problem != std::errc() || (rest_[0] == '0' && value != 0)) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return value;
  }

  std::optional<std::string_view> run_id() {
    constexpr std::string_view allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";
    const std::size_t size = std::min(rest_.find_first_not_of(allowed), rest_.size());
    if (size == 0 || size > limits::run_id_size_max.value) return std::nullopt;
    const std::string_view id = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return id;
  }

  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// True if eight bytes are ASCII without controls, quotes and backslashes.
bool is_plain_word(const char* bytes) {
  constexpr std::uint64_t ones = 0x0101010101010101U;
  constexpr std::uint64_t highs = 0x8080808080808080U;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  const auto has_zero = [](std::uint64_t value) { return (value - ones) & ~value & highs; };
  const std::uint64_t controls = (word - ones * 0x20) & ~word & highs;
  return ((word & highs) | controls | has_zero(word ^ (ones * '"')) |
          has_zero(word ^ (ones * '\\'))) == 0;
}

std::optional<char> short_escape(char c) {
  switch (c) {
    case '"':
    case '\\':
    case '/':
      return c;
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    default:
      return std::nullopt;
  }
}

/// `u00XY` below 0x80, after the backslash; code points beyond are left to the general parser.
std::optional<char> control_escape(std::string_view text) {
  if (text.size() < 5 || !text.starts_with("u00")) return std::nullopt;
  unsigned value = 0;
  const auto [end, problem] = std::from_chars(text.data() + 3, text.data() + 5, value, 16);
  if (problem != std::errc() || end != text.data() + 5 || value >= 0x80) return std::nullopt;
  return static_cast<char>(value);
}

/// The well-formed UTF-8 code point beyond ASCII at the front, 0 if there is none.
std::size_t code_point_size(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  std::uint32_t code_point = lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0U) != 0x80U) return 0;
    code_point = code_point << 6U | (byte & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  return code_point < smallest[size] || code_point > 0x10FFFF || surrogate ? 0 : size;
}

/// Unescapes up to the closing quote and moves `text` past it.
std::optional<std::string> take_string(std::string_view& text) {
  std::string value;
  value.reserve(std::min<std::size_t>(text.size(), limits::output_chunk_size_max.value));
  std::size_t copied = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    if (text.size() - at >= 8 && is_plain_word(text.data() + at)) {
      at += 8;
      continue;
    }
    const char c = text[at];
    if (c == '"') {
      value.append(text, copied, at - copied);
      text.remove_prefix(at + 1);
      return value;
    }
    if (c == '\\') {
      value.append(text, copied, at - copied);
      if (at + 1 == text.size()) return std::nullopt;
      auto unescaped = short_escape(text[at + 1]);
      at += 2;
      if (!unescaped) {
        unescaped = control_escape(text.substr(at - 1));
        if (!unescaped) return std::nullopt;
        at += 4;
      }
      value += *unescaped;
      copied = at;
      continue;
    }
    const bool ascii = static_cast<unsigned char>(c) < 0x80;
    const std::size_t size = ascii ? 1 : code_point_size(text.substr(at));
    if (size == 0 || (ascii && c < ' ')) return std::nullopt;
    at += size;
  }
  return std::nullopt;
}

constexpr std::array<std::uint8_t, 256> base64_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(0xFF);
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < digits.size(); ++i) {
    values[static_cast<unsigned char>(digits[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  static constexpr auto values = base64_values();
  if (text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  const std::size_t digits = text.size() - padding;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::uint32_t group = 0;
    for (std::size_t i = at; i < at + 4; ++i) {
      const std::uint8_t value = i < digits ? values[static_cast<unsigned char>(text[i])] : 0;
      if (value == 0xFF) return std::nullopt;
      group = group << 6U | value;
    }
    for (const unsigned shift : {16U, 8U, 0U}) bytes += static_cast<char>(group >> shift & 0xFFU);
  }
  const bool stray_bits = padding > 0 && bytes[bytes.size() - padding] != '\0';
  if (stray_bits) return std::nullopt;
  bytes.resize(bytes.size() - padding);
  return bytes;
}

std::optional<ScriptOutput> scan_script_output(std::string_view frame) {
  Scanner scanner(frame);
  if (!scanner.skip(R"({"type":"script_output","runId":")")) return std::nullopt;
  const auto run_id = scanner.run_id();
  if (!run_id || !scanner.skip(R"(","seq":)")) return std::nullopt;
  const auto seq = scanner.number();
  if (!seq || !scanner.skip(R"(,"stream":"std)")) return std::nullopt;
  const bool standard_output = scanner.skip("out");
  if (!standard_output && !scanner.skip("err")) return std::nullopt;
  if (!scanner.skip(R"(","offset":)")) return std::nullopt;
  const auto offset = scanner.number();
  if (!offset) return std::nullopt;
  const bool as_text = scanner.skip(R"(,"text":")");
  if (!as_text && !scanner.skip(R"(,"base64":")")) return std::nullopt;
  std::string_view rest = scanner.rest();
  auto bytes = take_string(rest);
  if (!bytes || rest != "}") return std::nullopt;
  if (!as_text) bytes = decode_base64(*bytes);
  constexpr std::uint64_t integer_max = 9'007'199'254'740'991U;
  if (!bytes || bytes->size() > limits::output_chunk_size_max.value || *seq > integer_max ||
      *offset > integer_max) {
    return std::nullopt;
  }
  const auto stream =
      standard_output ? OutputStream::standard_output : OutputStream::standard_error;
  return ScriptOutput{RunId(std::string(*run_id)), *seq, stream, *offset, std::move(*bytes)};
}

}  // namespace satellite::devcore
