#pragma once

#include "agent/runtime/log_level.hpp"
#include "protocol/vocabulary/error.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace satellite::agent {

/// One `key=value` of a log line. Keys are fixed words of ours; values may come from anywhere.
struct LogField {
  enum class Kind { text, number, duration };

  LogField(std::string_view key_, std::string_view value_) : key(key_), value(value_) {}
  LogField(std::string_view key_, const char* value_) : key(key_), value(value_) {}
  LogField(std::string_view key_, std::integral auto number)
      : key(key_), value(std::to_string(number)), kind(Kind::number) {}
  /// For people as duration_text says it, for machines in milliseconds.
  LogField(std::string_view key_, std::chrono::milliseconds duration)
      : key(key_), value(std::to_string(duration.count())), kind(Kind::duration), varies(true) {}
  LogField(std::string_view key_, ErrorCode code) : key(key_), value(name_of(code)) {}
  /// A number that differs although the line says the same again.
  static LogField varying(std::string_view key, std::uint64_t number) {
    LogField field(key, number);
    field.varies = true;
    return field;
  }

  std::string_view key;
  std::string value;  ///< of a number or duration: its digits
  Kind kind = Kind::text;
  bool varies = false;
};

/// `level event key=value … text`, always exactly one line. Pure.
///
/// Shape:  a value is quoted when it is empty or has a space, `=`, `"` or anything escaped; line
///         breaks, terminal controls, bidirectional overrides and bytes that are not UTF-8 are
///         escaped, so that nothing remote can forge a line or repaint a terminal.
/// Units:  values are cut after 512 bytes, the text after 2048, each with a mark that says so.
std::string format_log_line(LogLevel level, std::string_view event, std::string_view text,
                            std::span<const LogField> fields);

/// The same in another spelling. JSON: one object, ASCII only, with `level`, `event` and `text`
/// beside the fields; logfmt: `level=… event=… key=value … text="…"`. Durations there are
/// milliseconds, and their keys end in `_ms`.
std::string format_log_line(LogFormat format, LogLevel level, std::string_view event,
                            std::string_view text, std::span<const LogField> fields);

/// The escaping alone, for text that is printed elsewhere (`exec`).
std::string escaped_for_terminal(std::string_view text);

/// `error`, `warn`, `info`, `debug`.
std::string_view name_of(LogLevel level);

}  // namespace satellite::agent
