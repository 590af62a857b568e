#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>

namespace satellite::sandbox {

/// Asks one run to end early; may be used from the same thread before, during and after the run.
class CancelSwitch {
 public:
  explicit CancelSwitch(boost::asio::io_context& context);
  ~CancelSwitch();
  CancelSwitch(const CancelSwitch&) = delete;
  CancelSwitch& operator=(const CancelSwitch&) = delete;
  /// Idempotent.
  void cancel();
  bool cancelled() const;
  /// Returns once cancel() was called (or this coroutine is cancelled).
  boost::asio::awaitable<void> wait() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satellite::sandbox
