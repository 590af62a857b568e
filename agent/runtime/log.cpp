// spdlog stamps the time and carries a finished line to its descriptor; what a line may contain is
// decided in log_line, which needs no library to be tested.
#include "agent/runtime/log.hpp"

#include "agent/runtime/log_output.hpp"

#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>

namespace satellite::agent {
namespace {

constexpr const char* pattern_with_time = "%Y-%m-%dT%H:%M:%S.%eZ %v";
constexpr const char* pattern_without_time = "%v";

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
  Sink(int fd, const char* pattern)
      : output(fd), logger("agent", std::make_shared<DescriptorSink>(output)) {
    logger.set_formatter(
        std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
    logger.set_level(spdlog::level::trace);
  }
  void write(const std::string& line) {
    logger.log(spdlog::level::info, spdlog::string_view_t(line));
  }
  /// In its place among the lines: after those that waited, before those that come later.
  bool flush() {
    if (!output.flush()) return false;
    if (output.has_lost()) {
      const LogField lost("lines", output.take_lost());
      write(format_log_line(LogLevel::warn, "log_lines_lost",
                            "whoever reads this log did not keep up; the agent did not wait",
                            std::span(&lost, 1)));
    }
    return output.flush();
  }

  LogOutput output;
  spdlog::logger logger;
};

Log::Log(LogLevel level)
    : sink_(std::make_unique<Sink>(STDERR_FILENO, std::getenv("JOURNAL_STREAM") != nullptr
                                                      ? pattern_without_time
                                                      : pattern_with_time)),
      level_(level) {}

Log::Log(LogLevel level, int borrowed_fd)
    : sink_(std::make_unique<Sink>(borrowed_fd, pattern_with_time)), level_(level) {}

Log::~Log() {
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

void Log::write(LogLevel level, std::string_view event, std::string_view text, Fields fields) {
  if (!writes(level)) return;
  const std::string line =
      format_log_line(level, event, text, std::span(fields.begin(), fields.size()));
  sink_->flush();
  sink_->write(line);
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
