#include "sandbox/running/cancel_switch.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace satellite::sandbox {

namespace asio = boost::asio;

/// A timer that never expires by itself: cancelling it wakes everybody who waits.
struct CancelSwitch::State {
  explicit State(asio::io_context& context)
      : thrown(context, asio::steady_timer::time_point::max()) {}

  asio::steady_timer thrown;
  bool cancelled = false;
};

CancelSwitch::CancelSwitch(asio::io_context& context) : state_(std::make_unique<State>(context)) {}
CancelSwitch::~CancelSwitch() = default;

void CancelSwitch::cancel() {
  state_->cancelled = true;
  state_->thrown.cancel();
}

bool CancelSwitch::cancelled() const {
  return state_->cancelled;
}

asio::awaitable<void> CancelSwitch::wait() const {
  if (state_->cancelled) co_return;
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  co_await state_->thrown.async_wait(token);
}

}  // namespace satellite::sandbox
