#include "sandbox/running/lease_identity.hpp"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;

// An id is free milliseconds after a run's end, unless a process of it does not die.
constexpr std::chrono::seconds identity_wait_max{10};
// One that somebody else has is not given back.
constexpr std::chrono::milliseconds look_again_after{200};

}  // namespace

asio::awaitable<Result<Leased>> lease_identity(asio::io_context& context, IdentityPool* pool,
                                               OwnIds wanted, CancelSwitch& cancel) {
  if (pool == nullptr || wanted == OwnIds::none) co_return Leased{};
  const auto deadline = Clock::now() + identity_wait_max;
  for (;;) {
    auto lease = pool->take(wanted);
    if (lease || cancel.cancelled()) co_return lease;
    if (Clock::now() >= deadline) break;
    auto given_back =
        pool->given_back(context, std::min(deadline, Clock::now() + look_again_after));
    auto cancelled = cancel.wait();
    co_await (std::move(given_back) || std::move(cancelled));
  }
  const bool takes_two = wanted == OwnIds::of_script_and_init;
  co_return Error{ErrorCode::limit_exceeded,
                  std::string(takes_two ? "all but one of the " : "all ") +
                      std::to_string(pool->range().count) +
                      " user ids of sandbox.uid_range belong to runs that are not gone" +
                      (takes_two ? ", and one that sees the host's processes takes two" : "") +
                      "; look for processes that cannot be killed, or make the range larger"};
}

}  // namespace satellite::sandbox
