#include "agent/runtime/process_signals.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <tuple>

namespace satellite::agent {

namespace asio = boost::asio;

namespace {

std::string_view signal_name(int number) {
  switch (number) {
    case SIGTERM:
      return "SIGTERM";
    case SIGINT:
      return "SIGINT";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "signal";
  }
}

}  // namespace

struct ProcessSignals::State {
  State(asio::io_context& context, std::initializer_list<int> numbers) : signals(context) {
    for (const int number : numbers) signals.add(number);
  }
  asio::signal_set signals;
};

ProcessSignals::ProcessSignals(asio::io_context& context, std::initializer_list<int> numbers)
    : state_(std::make_unique<State>(context, numbers)) {}
ProcessSignals::~ProcessSignals() = default;

asio::awaitable<std::string_view> ProcessSignals::received() {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  const auto signal = co_await state_->signals.async_wait(without_throwing);
  if (std::get<0>(signal)) co_return std::string_view();
  co_return signal_name(std::get<1>(signal));
}

}  // namespace satellite::agent
