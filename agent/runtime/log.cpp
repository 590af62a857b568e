// spdlog stamps the time and carries a finished line to its descriptor; what a line may contain is
// decided in log_line, which needs no library to be tested.
#include "agent/runtime/log.hpp"

#include "agent/runtime/log_output.hpp"

#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <sys/stat.h>
#include <unistd.h>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

namespace satellite::agent {
namespace {

/// What spdlog puts in front of a line: its time, in the spelling of the format.
const char* pattern_of(LogFormat format, bool to_journal) {
  if (to_journal) return "%v";
  switch (format) {
    case LogFormat::text:
      return "%Y-%m-%dT%H:%M:%S.%eZ %v";
    case LogFormat::json:
      return "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",%v";
    case LogFormat::logfmt:
      return "time=%Y-%m-%dT%H:%M:%S.%eZ %v";
  }
  return "%v";
}

/// The priority by which the journal keeps a line.
const char* journal_prefix(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "<3>";
    case LogLevel::warn:
      return "<4>";
    case LogLevel::info:
      return "<6>";
    case LogLevel::debug:
      return "<7>";
  }
  return "<6>";
}

/// The variable is inherited by whoever we are started from; only if it names this descriptor is
/// that the journal.
bool is_journal(int fd) {
  const char* const named = std::getenv("JOURNAL_STREAM");
  struct stat facts {};
  if (named == nullptr || ::fstat(fd, &facts) != 0) return false;
  return named == std::to_string(facts.st_dev) + ":" + std::to_string(facts.st_ino);
}

/// One write(2) per line, so that lines of several processes on one terminal do not mix.
class DescriptorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit DescriptorSink(LogOutput& output) : output_(output) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    output_.write({line.data(), line.size()});
  }
  void flush_() override {}

 private:
  LogOutput& output_;
};

}  // namespace

struct Log::Sink {
  Sink(int fd, LogFormat chosen)
      : to_journal(is_journal(fd)),
        output(fd),
        logger("agent", std::make_shared<DescriptorSink>(output)) {
    set_format(chosen);
    logger.set_level(spdlog::level::trace);
  }
  void set_format(LogFormat chosen) {
    format = chosen;
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
        pattern_of(format, to_journal), spdlog::pattern_time_type::utc));
  }
  void write(LogLevel level, std::string_view event, std::string_view text,
             std::span<const LogField> fields) {
    std::string line = format_log_line(format, level, event, text, fields);
    if (to_journal) {
      line.insert(0, journal_prefix(level));
    } else if (format == LogFormat::json) {
      line.erase(0, 1);  // the time opens the object
    }
    logger.log(spdlog::level::info, spdlog::string_view_t(line));
  }
  /// In its place among the lines: after those that waited, before those that come later.
  bool flush() {
    if (!output.flush()) return false;
    if (output.has_lost()) {
      const LogField lost("lines", output.take_lost());
      write(LogLevel::warn, "log_lines_lost",
            "whoever reads this log did not keep up; the agent did not wait", std::span(&lost, 1));
    }
    return output.flush();
  }

  const bool to_journal;
  LogFormat format = LogFormat::text;
  LogOutput output;
  spdlog::logger logger;
};

Log::Log(LogLevel level, LogFormat format) : Log(level, STDERR_FILENO, format) {}

Log::Log(LogLevel level, int borrowed_fd, LogFormat format)
    : sink_(std::make_unique<Sink>(borrowed_fd, format)), level_(level) {}

Log::~Log() {
  for (const LogRepeats::Line& line : repeats_.take_counted()) write_now(line);
  // The last words of a program that ends; what is not read by then is lost.
  constexpr auto patience = std::chrono::milliseconds(200);
  constexpr auto look_again = std::chrono::milliseconds(5);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!sink_->flush() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(look_again);
  }
}

bool Log::flush() {
  return sink_->flush();
}

void Log::on_backlog(std::function<void()> told) {
  on_backlog_ = std::move(told);
}

bool Log::writes(LogLevel level) const {
  return level >= level_;
}
void Log::set_level(LogLevel level) {
  level_ = level;
}
void Log::set_format(LogFormat format) {
  sink_->set_format(format);
}

void Log::write(LogLevel level, std::string_view event, std::string_view text, Fields fields) {
  if (!writes(level)) return;
  LogRepeats::Line line{level, event, std::string(text), {fields.begin(), fields.end()}};
  for (const auto& due : repeats_.take(std::move(line), std::chrono::steady_clock::now())) {
    write_now(due);
  }
}

void Log::write_now(const LogRepeats::Line& line) {
  sink_->flush();
  sink_->write(line.level, line.event, line.text, line.fields);
  if (!sink_->flush() && on_backlog_) on_backlog_();
}

void Log::error(std::string_view event, std::string_view text, Fields fields) {
  write(LogLevel::error, event, text, fields);
}
void Log::warn(std::string_view event, std::string_view text, Fields fields) {
  write(LogLevel::warn, event, text, fields);
}
void Log::info(std::string_view event, std::string_view text, Fields fields) {
  write(LogLevel::info, event, text, fields);
}
void Log::debug(std::string_view event, std::string_view text, Fields fields) {
  write(LogLevel::debug, event, text, fields);
}

}  // namespace satellite::agent
