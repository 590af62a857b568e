#include "agent/runtime/log_line.hpp"

#include "agent/runtime/duration_text.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace satellite::agent {
namespace {

constexpr std::size_t value_size_max = 512;
constexpr std::size_t text_size_max = 2'048;

/// One character of UTF-8: its value and its bytes; `size` 0 = these bytes are not UTF-8.
struct CodePoint {
  std::uint32_t value = 0;
  std::size_t size = 0;
};

/// The lead byte's meaning by RFC 3629: payload bits, length, and the smallest value that may be
/// written in that length (shorter values in longer forms hide characters from filters).
struct LeadByte {
  std::uint8_t mask, pattern, payload;
  std::size_t size;
  std::uint32_t value_min;
};
constexpr std::array lead_bytes{
    LeadByte{0x80, 0x00, 0x7f, 1, 0}, LeadByte{0xe0, 0xc0, 0x1f, 2, 0x80},
    LeadByte{0xf0, 0xe0, 0x0f, 3, 0x800}, LeadByte{0xf8, 0xf0, 0x07, 4, 0x10000}};

CodePoint next_code_point(std::string_view text) {
  const auto first = static_cast<std::uint8_t>(text[0]);
  for (const LeadByte& lead : lead_bytes) {
    if ((first & lead.mask) != lead.pattern) continue;
    if (text.size() < lead.size) return {};
    std::uint32_t value = first & lead.payload;
    for (std::size_t i = 1; i < lead.size; ++i) {
      const auto byte = static_cast<std::uint8_t>(text[i]);
      if ((byte & 0xc0U) != 0x80U) return {};
      value = (value << 6U) | (byte & 0x3fU);
    }
    const bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < lead.value_min || value > 0x10ffff || is_surrogate) return {};
    return {value, lead.size};
  }
  return {};
}

/// Characters that move the cursor, break lines or reorder what a reader sees.
bool is_treacherous(std::uint32_t c) {
  const bool is_control = c < 0x20 || (c >= 0x7f && c <= 0x9f);
  const bool is_separator = c == 0x2028 || c == 0x2029;
  const bool is_direction = c == 0x061c || (c >= 0x200b && c <= 0x200f) ||
                            (c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f);
  return is_control || is_separator || is_direction || c == 0xfeff;
}

void append_escaped_byte(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto byte = static_cast<std::uint8_t>(c);
  out += "\\x";
  out += digits[byte >> 4U];
  out += digits[byte & 0x0fU];
}

void append_escaped(std::string& out, std::string_view bytes) {
  if (bytes == "\n") {
    out += "\\n";
  } else if (bytes == "\t") {
    out += "\\t";
  } else if (bytes == "\r") {
    out += "\\r";
  } else {
    for (const char c : bytes) append_escaped_byte(out, c);
  }
}

enum class Style { quoted_value, text };

/// Appends `text` made harmless, at most `size_max` bytes of it. Returns whether all was plain.
bool append_harmless(std::string& out, std::string_view text, std::size_t size_max, Style style) {
  bool all_plain = true;
  std::size_t used = 0;
  while (used < text.size()) {
    const CodePoint c = next_code_point(text.substr(used));
    const std::string_view bytes = text.substr(used, c.size == 0 ? 1 : c.size);
    if (used + bytes.size() > size_max) {
      out += "…(" + std::to_string(text.size()) + " bytes)";
      return false;
    }
    const bool is_quote = style == Style::quoted_value && bytes == "\"";
    if (c.size == 0 || is_treacherous(c.value)) {
      append_escaped(out, bytes);
      all_plain = false;
    } else if (is_quote || bytes == "\\") {
      // A backslash is doubled so that escaped and original text stay distinguishable.
      (out += '\\') += bytes;
      all_plain = false;
    } else {
      out += bytes;
      if (bytes == " " || bytes == "=") all_plain = false;
    }
    used += bytes.size();
  }
  return all_plain;
}

}  // namespace

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

std::string escaped_for_terminal(std::string_view text) {
  std::string out;
  append_harmless(out, text, text.size(), Style::text);
  return out;
}

namespace {

void append_field(std::string& line, std::string_view key, std::string_view value,
                  std::size_t size_max) {
  ((line += ' ') += key) += '=';
  std::string harmless;
  const bool is_plain = append_harmless(harmless, value, size_max, Style::quoted_value);
  if (is_plain && !harmless.empty()) {
    line += harmless;
  } else {
    ((line += '"') += harmless) += '"';
  }
}

long long digits_of(const LogField& field) {
  return std::strtoll(field.value.c_str(), nullptr, 10);
}

/// Cut between two characters of UTF-8, with a mark that says so.
std::string cut(std::string_view text, std::size_t size_max) {
  if (text.size() <= size_max) return std::string(text);
  std::size_t size = size_max;
  while (size > 0 && (static_cast<std::uint8_t>(text[size]) & 0xc0U) == 0x80U) --size;
  return std::string(text.substr(0, size)) + "…(" + std::to_string(text.size()) + " bytes)";
}

std::string json_line(LogLevel level, std::string_view event, std::string_view text,
                      std::span<const LogField> fields) {
  nlohmann::ordered_json line{{"level", name_of(level)}, {"event", event}};
  for (const LogField& field : fields) {
    switch (field.kind) {
      case LogField::Kind::text:
        line[std::string(field.key)] = cut(field.value, value_size_max);
        break;
      case LogField::Kind::number:
        line[std::string(field.key)] = digits_of(field);
        break;
      case LogField::Kind::duration:
        line[std::string(field.key) + "_ms"] = digits_of(field);
        break;
    }
  }
  if (!text.empty()) line["text"] = cut(text, text_size_max);
  return line.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

std::string logfmt_line(LogLevel level, std::string_view event, std::string_view text,
                        std::span<const LogField> fields) {
  std::string line = "level=" + std::string(name_of(level)) + " event=" + std::string(event);
  for (const LogField& field : fields) {
    const bool is_duration = field.kind == LogField::Kind::duration;
    append_field(line, std::string(field.key) + (is_duration ? "_ms" : ""), field.value,
                 value_size_max);
  }
  if (!text.empty()) append_field(line, "text", text, text_size_max);
  return line;
}

}  // namespace

std::string format_log_line(LogFormat format, LogLevel level, std::string_view event,
                            std::string_view text, std::span<const LogField> fields) {
  switch (format) {
    case LogFormat::text:
      return format_log_line(level, event, text, fields);
    case LogFormat::json:
      return json_line(level, event, text, fields);
    case LogFormat::logfmt:
      return logfmt_line(level, event, text, fields);
  }
  return {};
}

std::string format_log_line(LogLevel level, std::string_view event, std::string_view text,
                            std::span<const LogField> fields) {
  std::string line(name_of(level));
  (line += ' ') += event;
  for (const LogField& field : fields) {
    const bool is_duration = field.kind == LogField::Kind::duration;
    append_field(
        line, field.key,
        is_duration ? duration_text(std::chrono::milliseconds(digits_of(field))) : field.value,
        value_size_max);
  }
  if (!text.empty()) {
    line += ' ';
    append_harmless(line, text, text_size_max, Style::text);
  }
  return line;
}

}  // namespace satellite::agent
