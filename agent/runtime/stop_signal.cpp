#include "agent/runtime/stop_signal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <tuple>

namespace satellite::agent {

namespace asio = boost::asio;

struct StopSignal::State {
  explicit State(asio::io_context& context) : signals(context, SIGTERM, SIGINT) {}
  asio::signal_set signals;
};

StopSignal::StopSignal(asio::io_context& context) : state_(std::make_unique<State>(context)) {}
StopSignal::~StopSignal() = default;

asio::awaitable<std::string_view> StopSignal::received() {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  const auto signal = co_await state_->signals.async_wait(without_throwing);
  if (std::get<0>(signal)) co_return std::string_view();
  co_return std::get<1>(signal) == SIGINT ? "SIGINT" : "SIGTERM";
}

}  // namespace satellite::agent
