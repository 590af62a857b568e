#include "sandbox/running/prepared_stock.hpp"

#include "sandbox/launcher/client/ending.hpp"
#include "sandbox/report/outcome.hpp"

#include <algorithm>
#include <utility>

namespace satellite::sandbox {

PreparedStock::PreparedStock(boost::asio::io_context& context, Launcher& launcher,
                             std::size_t count_max, PreparedMemory& memory, OwnIdsOf own_ids)
    : launcher_(launcher),
      policy_(count_max),
      memory_(memory),
      own_ids_(std::move(own_ids)),
      timer_(context) {}

void PreparedStock::look_again_later(std::function<void()> look) {
  fit();
  const auto at = policy_.next_look(Clock::now());
  timer_.cancel();
  if (!at) return;
  timer_.expires_at(*at);
  timer_.async_wait([look = std::move(look)](const boost::system::error_code& problem) {
    if (!problem) look();
  });
}

bool PreparedStock::holds_the_last_id() const {
  const IdentityPool* const pool = launcher_.identities();
  const OwnIds wanted = own_ids_(policy_.policy());
  return pool != nullptr && wanted != OwnIds::none && !pool->has(wanted);
}

std::optional<PreparedStock::Made> PreparedStock::make_one(
    const MakeOrder& make_order, std::size_t (*count_max)(const LaunchOrder&)) {
  fit();
  const auto now = Clock::now();
  if (!policy_.lacks_one(now)) return std::nullopt;
  const Number number = launcher_.next_run_number();
  const OwnIds wanted = own_ids_(policy_.policy());
  IdentityPool* const pool = wanted == OwnIds::none ? nullptr : launcher_.identities();
  // At most half of the ids, so that most are left for runs with a task.
  const bool may_take = pool != nullptr && 2 * pool->taken() < pool->range().count;
  auto lease = may_take ? pool->take(wanted) : std::nullopt;
  if (pool != nullptr && !lease) {
    policy_.defer_briefly(now);
    return std::nullopt;
  }
  const auto own = lease ? std::optional(lease->identity()) : std::nullopt;
  auto order = make_order(number, own);
  if (!order) {
    policy_.defer(now);
    return std::nullopt;
  }
  policy_.allow(count_max(*order));
  if (!policy_.lacks_one(now)) return std::nullopt;
  auto link = launcher_.prepare_run(*order, std::move(lease));
  if (!link) {
    policy_.defer(now);
    return std::nullopt;
  }
  policy_.making(number, now);
  return Made{number, own, *std::move(order), *std::move(link), {memory_, size_}};
}

std::string reason_of_end(const LauncherRecord& record) {
  RunResult result;
  describe_end(result, record, StopReason::none);
  return result.error.value_or("it ended");
}

bool PreparedStock::measured(Number number, PreparedMemory::Share& share, ByteCount own_memory) {
  size_ = PreparedMemory::kernel_part + own_memory;
  share.resize(size_);
  if (!memory_.is_exceeded()) return true;
  policy_.drop(number);
  return false;
}

}  // namespace satellite::sandbox
