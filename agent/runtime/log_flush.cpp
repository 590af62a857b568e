#include "agent/runtime/log_flush.hpp"

#include <chrono>

namespace satellite::agent {

LogFlush::LogFlush(boost::asio::io_context& context, Log& log) : log_(log), timer_(context) {
  log_.on_backlog([this] { look_again_later(); });
}

LogFlush::~LogFlush() {
  log_.on_backlog(nullptr);
}

void LogFlush::look_again_later() {
  constexpr std::chrono::milliseconds pause{100};
  if (waiting_) return;
  waiting_ = true;
  timer_.expires_after(pause);
  timer_.async_wait([this](const boost::system::error_code& problem) {
    if (problem) return;
    waiting_ = false;
    if (!log_.flush()) look_again_later();
  });
}

}  // namespace satellite::agent
