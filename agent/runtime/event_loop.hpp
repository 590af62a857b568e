#pragma once

#include <boost/asio/io_context.hpp>

namespace satellite::agent {

/// The one event loop of a program.
///
/// Shape:  a coroutine that is suspended when the loop ends lives in the loop, and its destructors
///         reach into whatever it refers to; that refers to the loop in turn. So its owner destroys
///         what is suspended first, then what it refers to, then the loop.
class EventLoop : public boost::asio::io_context {
 public:
  EventLoop() : io_context(1) {}

  /// Ends the loop and destroys every pending handler and suspended coroutine. What uses the loop
  /// may only be destroyed afterwards.
  void destroy_pending() {
    stop();
    shutdown();
  }
};

}  // namespace satellite::agent
