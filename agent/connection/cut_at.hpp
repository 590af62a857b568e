#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <functional>
#include <memory>

namespace satellite::agent {

/// Does one action at a moment, unless it goes out of scope before: closing a socket that some
/// operation hangs on. Unlike cancellation, no layer in between can ignore a closed socket.
///
/// Shape:  the action runs on the executor, never inline, never after the destructor.
class CutAt {
 public:
  CutAt(const boost::asio::any_io_executor& executor, std::chrono::steady_clock::time_point moment,
        std::function<void()> action);
  ~CutAt();
  CutAt(const CutAt&) = delete;
  CutAt& operator=(const CutAt&) = delete;

  bool done() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the timer's handler, which may be queued already
};

}  // namespace satellite::agent
