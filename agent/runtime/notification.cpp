#include "agent/runtime/notification.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace satellite::agent {

namespace asio = boost::asio;

// A timer that never expires on its own is Asio's cheapest wait list: cancelling it wakes all.
struct Notification::State {
  explicit State(asio::io_context& context)
      : timer(context, asio::steady_timer::time_point::max()) {}
  asio::steady_timer timer;
};

Notification::Notification(asio::io_context& context) : state_(std::make_unique<State>(context)) {}
Notification::~Notification() = default;

asio::awaitable<void> Notification::wait() {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  co_await state_->timer.async_wait(without_throwing);
}

void Notification::notify_all() {
  state_->timer.cancel();
}

}  // namespace satellite::agent
