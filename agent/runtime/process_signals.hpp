#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <initializer_list>
#include <memory>
#include <string_view>

namespace satellite::agent {

/// Signals as something a coroutine can wait for.
///
/// Shape:  one object per process and signal, made before anything that the signal is about. Each
///         wait gives one signal, also one that came before the wait began; the name is for the
///         log. One waiter at a time.
/// Errors: a cancelled wait gives an empty name.
class ProcessSignals {
 public:
  ProcessSignals(boost::asio::io_context& context, std::initializer_list<int> numbers);
  ~ProcessSignals();
  ProcessSignals(const ProcessSignals&) = delete;
  ProcessSignals& operator=(const ProcessSignals&) = delete;

  boost::asio::awaitable<std::string_view> received();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace satellite::agent
