#include "sandbox/running/lease_identity.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;

// An id is free milliseconds after a run's end, unless a process of it does not die.
constexpr std::chrono::seconds identity_wait_max{10};

}  // namespace

asio::awaitable<Result<Leased>> lease_identity(asio::io_context& context, IdentityPool* pool,
                                               CancelSwitch& cancel) {
  if (pool == nullptr) co_return Leased{};
  const auto deadline = Clock::now() + identity_wait_max;
  for (;;) {
    auto lease = pool->take();
    if (lease || cancel.cancelled()) co_return lease;
    if (Clock::now() >= deadline) break;
    auto given_back = pool->given_back(context, deadline);
    auto cancelled = cancel.wait();
    co_await (std::move(given_back) || std::move(cancelled));
  }
  co_return Error{ErrorCode::limit_exceeded,
                  "all " + std::to_string(pool->range().count) +
                      " user ids of sandbox.uid_range belong to runs that are not gone; look for "
                      "processes that cannot be killed, or make the range larger"};
}

}  // namespace satellite::sandbox
