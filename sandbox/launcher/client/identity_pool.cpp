#include "sandbox/launcher/client/identity_pool.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <list>

namespace satellite::sandbox {

namespace asio = boost::asio;

struct IdentityPool::Lease::Taken {
  std::uint32_t never_taken = 0;     ///< offsets from here on are fresh
  std::deque<std::uint32_t> rested;  ///< given back, longest ago first
  std::size_t count = 0;
  std::list<asio::steady_timer*> waiting;
};

IdentityPool::Lease::~Lease() {
  if (!taken_) return;
  taken_->rested.push_back(id_);
  --taken_->count;
  if (taken_->waiting.empty()) return;
  // Out of the list at once, so that the next one given back wakes the next one waiting.
  asio::steady_timer* const first = taken_->waiting.front();
  taken_->waiting.pop_front();
  first->cancel();
}

IdentityPool::IdentityPool(IdentityRange range)
    : range_(range), taken_(std::make_shared<Lease::Taken>()) {}
IdentityPool::~IdentityPool() = default;

std::optional<IdentityPool::Lease> IdentityPool::take() {
  std::uint32_t id = 0;
  if (taken_->never_taken < range_.count) {
    id = range_.first + taken_->never_taken++;
  } else if (!taken_->rested.empty()) {
    id = taken_->rested.front();
    taken_->rested.pop_front();
  } else {
    return std::nullopt;
  }
  ++taken_->count;
  return Lease(taken_, id);
}

std::size_t IdentityPool::taken() const {
  return taken_->count;
}

asio::awaitable<void> IdentityPool::given_back(asio::io_context& context,
                                               std::chrono::steady_clock::time_point deadline) {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  const auto taken = taken_;
  asio::steady_timer alarm(context, deadline);
  taken->waiting.push_back(&alarm);
  co_await alarm.async_wait(token);
  taken->waiting.remove(&alarm);
}

}  // namespace satellite::sandbox
