#pragma once

#include "agent/runtime/log_line.hpp"
#include "agent/runtime/log_repeats.hpp"

#include <functional>
#include <initializer_list>
#include <memory>
#include <string_view>

namespace satellite::agent {

/// The agent's log: one line per event, on standard error; repetitions are counted (LogRepeats).
///
/// Shape:  made once by the composition root and passed by reference; `event` is a fixed word.
///         `error` = our duty not done, `warn` = went on without, `info` = a state people wait for.
/// Errors: none: a log that cannot be written loses lines and counts them, it never makes the agent
///         wait: see log_output.hpp.
/// Never:  secrets, script output, raw frames.
/// Source: systemd.exec(5) "$JOURNAL_STREAM"; sd-daemon(3) for the priorities.
class Log {
 public:
  /// Where standard error is the journal (JOURNAL_STREAM), that stamps every line and is told its
  /// priority by `<N>` in front; elsewhere a line carries its own UTC time.
  explicit Log(LogLevel level, LogFormat format = LogFormat::text);
  /// The same lines into a descriptor that the caller owns and keeps open.
  Log(LogLevel level, int borrowed_fd, LogFormat format = LogFormat::text);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  using Fields = std::initializer_list<LogField>;
  void error(std::string_view event, std::string_view text, Fields fields = {});
  void warn(std::string_view event, std::string_view text, Fields fields = {});
  void info(std::string_view event, std::string_view text, Fields fields = {});
  void debug(std::string_view event, std::string_view text, Fields fields = {});

  /// For fields that cost something to make.
  bool writes(LogLevel level) const;
  void set_level(LogLevel level);
  void set_format(LogFormat format);

  /// Tries to write what waits; true if nothing waits any more. Every line tries it, too.
  bool flush();
  /// Called after a line that had to wait: the callee calls flush() after a while.
  void on_backlog(std::function<void()> told);

 private:
  void write(LogLevel level, std::string_view event, std::string_view text, Fields fields);
  void write_now(const LogRepeats::Line& line);

  struct Sink;
  std::unique_ptr<Sink> sink_;
  std::function<void()> on_backlog_;
  LogLevel level_;
  LogRepeats repeats_;
};

}  // namespace satellite::agent
