// spdlog stamps the time and carries a finished line to its descriptor; what a line may contain is
// decided in log_line, which needs no library to be tested.
#include "agent/runtime/log.hpp"

#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>
#include <cstdlib>

namespace satellite::agent {
namespace {

constexpr const char* pattern_with_time = "%Y-%m-%dT%H:%M:%S.%eZ %v";
constexpr const char* pattern_without_time = "%v";

/// One write(2) per line, so that lines of several processes on one terminal do not mix.
class DescriptorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit DescriptorSink(int fd) : fd_(fd) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    // A full pipe or a closed terminal must not stop the agent: what does not fit is lost.
    [[maybe_unused]] const ssize_t written = ::write(fd_, line.data(), line.size());
  }
  void flush_() override {}

 private:
  int fd_;
};

}  // namespace

struct Log::Sink {
  Sink(int fd, const char* pattern) : logger("agent", std::make_shared<DescriptorSink>(fd)) {
    logger.set_formatter(
        std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
    logger.set_level(spdlog::level::trace);
  }
  spdlog::logger logger;
};

Log::Log(LogLevel level)
    : sink_(std::make_unique<Sink>(STDERR_FILENO, std::getenv("JOURNAL_STREAM") != nullptr
                                                      ? pattern_without_time
                                                      : pattern_with_time)),
      level_(level) {}

Log::Log(LogLevel level, int borrowed_fd)
    : sink_(std::make_unique<Sink>(borrowed_fd, pattern_with_time)), level_(level) {}

Log::~Log() = default;

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
  sink_->logger.log(spdlog::level::info, spdlog::string_view_t(line));
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
