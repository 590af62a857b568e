#pragma once

#include "agent/runtime/log_line.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// Which lines of a log are repetitions. Pure: time is an argument.
///
/// Shape:  a warning, an error, or a line with a number that varies, which says what was said
///         within half a minute is counted instead of written; while it goes on, it is written
///         after ever longer times, 15 min at most, each time with the count. Any other line means
///         that something has changed: what was counted is told before it, and all is new again.
/// Bounds: of `entries_max` lines; one more has the oldest told.
class LogRepeats {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::size_t entries_max = 8;
  static constexpr std::chrono::seconds first_window{30}, window_max{900};

  struct Line {
    LogLevel level = LogLevel::info;
    std::string_view event;  ///< a fixed word
    std::string text;
    std::vector<LogField> fields;  ///< with `repeated`, where it was
  };
  /// What to write now, in this order; empty = it is counted.
  std::vector<Line> take(Line line, Time now);
  /// What was counted and not told.
  std::vector<Line> take_counted();

 private:
  struct Entry {
    std::string key;
    Line latest;
    Time told_at;
    std::chrono::seconds window = first_window;
    std::uint64_t counted = 0;
  };
  static void append_counted(std::vector<Line>& lines, Entry& entry);

  std::deque<Entry> entries_;
};

}  // namespace satellite::agent
