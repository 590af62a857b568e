#include "agent/checks/script_slots.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

struct ScriptSlots::Waiter {
  explicit Waiter(asio::io_context& context)
      : called(context, asio::steady_timer::time_point::max()) {}
  asio::steady_timer called;
  bool served = false;
};

asio::awaitable<ScriptSlots::Slot> ScriptSlots::take(const sandbox::CancelSwitch& cancel) {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  if (cancel.cancelled()) co_return Slot();
  if (free_ > 0) {
    --free_;
    co_return Slot(*this);
  }
  Waiter waiter(context_);
  const auto place = waiters_.insert(waiters_.end(), &waiter);
  co_await (waiter.called.async_wait(without_throwing) || cancel.wait());
  // A slot that was handed over in the same moment goes back with the Slot.
  if (waiter.served) co_return Slot(*this);
  waiters_.erase(place);
  co_return Slot();
}

void ScriptSlots::give_back() {
  if (waiters_.empty()) {
    ++free_;
    return;
  }
  Waiter* const next = waiters_.front();
  waiters_.pop_front();
  next->served = true;
  next->called.cancel();
}

}  // namespace satellite::agent
