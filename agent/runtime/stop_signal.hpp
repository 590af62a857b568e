#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string_view>

namespace satellite::agent {

/// SIGTERM and SIGINT as something a coroutine can wait for.
///
/// Shape:  one object per process, made before anything that a signal should stop. Each wait gives
///         one signal, also one that came before the wait began; the name is for the log.
/// Errors: a cancelled wait gives an empty name.
class StopSignal {
 public:
  explicit StopSignal(boost::asio::io_context& context);
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  boost::asio::awaitable<std::string_view> received();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satellite::agent
