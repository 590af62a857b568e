#pragma once

#include "agent/runtime/log.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace satellite::agent {

/// Tells when one piece of work keeps the event loop from all others, for an operator who looks for
/// it.
///
/// Shape:  looks every millisecond and counts the processor time of the loop's own thread since it
///         looked last, so that a busy machine is not mistaken for a busy loop. Costs a few
///         wake-ups; off unless asked for.
class LoopWatch {
 public:
  LoopWatch(boost::asio::io_context& context, Log& log) : log_(log), timer_(context) {}

  /// Until stop(): one line per new longest time.
  boost::asio::awaitable<void> run();
  void stop();

 private:
  Log& log_;
  boost::asio::steady_timer timer_;
  bool stopping_ = false;
};

}  // namespace satellite::agent
