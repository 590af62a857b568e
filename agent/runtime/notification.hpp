#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>

namespace satellite::agent {

/// Wakes every coroutine that waits for something to change: a condition variable for one thread.
///
/// Shape:  waiters look at their condition, wait, look again. notify_all never runs them inline.
/// Errors: a wait that is cancelled returns like one that was notified; the caller looks anyway.
class Notification {
 public:
  explicit Notification(boost::asio::io_context& context);
  ~Notification();
  Notification(const Notification&) = delete;
  Notification& operator=(const Notification&) = delete;

  boost::asio::awaitable<void> wait();
  void notify_all();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satellite::agent
