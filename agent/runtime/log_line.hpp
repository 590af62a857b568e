#pragma once

#include "agent/runtime/log_level.hpp"
#include "protocol/vocabulary/error.hpp"

#include <chrono>
#include <concepts>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace satellite::agent {

/// One `key=value` of a log line. Keys are fixed words of ours; values may come from anywhere.
struct LogField {
  LogField(std::string_view key_, std::string_view value_) : key(key_), value(value_) {}
  LogField(std::string_view key_, const char* value_) : key(key_), value(value_) {}
  LogField(std::string_view key_, std::integral auto number)
      : key(key_), value(std::to_string(number)) {}
  LogField(std::string_view key_, std::chrono::milliseconds duration)
      : key(key_), value(std::to_string(duration.count()) + "ms") {}
  LogField(std::string_view key_, ErrorCode code) : key(key_), value(name_of(code)) {}

  std::string_view key;
  std::string value;
};

/// `level event key=value … text`, always exactly one line. Pure.
///
/// Shape:  a value is quoted when it is empty or has a space, `=`, `"` or anything escaped; line
///         breaks, terminal controls, bidirectional overrides and bytes that are not UTF-8 are
///         escaped, so that nothing remote can forge a line or repaint a terminal.
/// Units:  values are cut after 512 bytes, the text after 2048, each with a mark that says so.
std::string format_log_line(LogLevel level, std::string_view event, std::string_view text,
                            std::span<const LogField> fields);

/// The escaping alone, for text that is printed elsewhere (`exec`).
std::string escaped_for_terminal(std::string_view text);

/// `error`, `warn`, `info`, `debug`.
std::string_view name_of(LogLevel level);

}  // namespace satellite::agent
