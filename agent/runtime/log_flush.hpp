#pragma once

#include "agent/runtime/log.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace satellite::agent {

/// Brings lines that had to wait to their reader, also when no further line follows them. Costs
/// nothing while none waits.
class LogFlush {
 public:
  /// Both must outlive it.
  LogFlush(boost::asio::io_context& context, Log& log);
  ~LogFlush();
  LogFlush(const LogFlush&) = delete;
  LogFlush& operator=(const LogFlush&) = delete;

 private:
  void look_again_later();

  Log& log_;
  boost::asio::steady_timer timer_;
  bool waiting_ = false;
};

}  // namespace satellite::agent
