#include "sandbox/launcher/client/identity_pool.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <list>
#include <utility>

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
  for (const auto id : {ids_.script.uid, ids_.init_uid}) {
    if (id == 0) continue;
    taken_->rested.push_back(id);
    --taken_->count;
    if (taken_->waiting.empty()) continue;
    // Out of the list at once, so that the next one given back wakes the next one waiting.
    asio::steady_timer* const first = taken_->waiting.front();
    taken_->waiting.pop_front();
    first->cancel();
  }
}

IdentityPool::IdentityPool(IdentityRange range, IsInUse is_in_use)
    : range_(range), is_in_use_(std::move(is_in_use)), taken_(std::make_shared<Lease::Taken>()) {}
IdentityPool::~IdentityPool() = default;

std::optional<std::uint32_t> IdentityPool::next() {
  for (std::size_t free = range_.count - taken_->count; free > 0; --free) {
    std::uint32_t id = range_.first + taken_->never_taken;
    if (taken_->never_taken < range_.count) {
      ++taken_->never_taken;
    } else {
      id = taken_->rested.front();
      taken_->rested.pop_front();
    }
    if (!is_in_use_ || !is_in_use_(id)) {
      ++taken_->count;
      return id;
    }
    taken_->rested.push_back(id);
  }
  return std::nullopt;
}

std::optional<IdentityPool::Lease> IdentityPool::take(OwnIds wanted) {
  if (!has(wanted)) return std::nullopt;
  const auto id = next();
  if (!id) return std::nullopt;
  Lease lease(taken_, {{*id, *id}});
  if (wanted == OwnIds::of_script) return lease;
  const auto second = next();
  if (!second) return std::nullopt;
  lease.ids_.init_uid = *second;
  return lease;
}

bool IdentityPool::has(OwnIds wanted) const {
  const std::size_t count = wanted == OwnIds::of_script_and_init ? 2 : 1;
  return taken_->count + count <= range_.count;
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
