#include "sandbox/running/prepared_runs.hpp"

#include <boost/asio/steady_timer.hpp>
#include <limits>
#include <map>
#include <utility>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;

// Each stands there as two processes, and all of them together shall not take more than an eighth.
constexpr std::uint64_t share_of_processes = 16;

}  // namespace

struct PreparedRuns::State : std::enable_shared_from_this<State> {
  struct Standing {
    std::optional<Identity> own_identity;
    LaunchedRunLink link;
  };

  State(asio::io_context& context, Launcher& process, std::size_t count_max, MakeOrder make,
        TakesOwnIdentity own)
      : launcher(process),
        stock(count_max),
        make_order(std::move(make)),
        takes_own_identity(std::move(own)),
        timer(context) {}

  void work();
  void look_again_later();
  void make_room();
  bool make_one();
  void on_event(std::uint64_t number);

  Launcher& launcher;
  Stock stock;
  MakeOrder make_order;
  TakesOwnIdentity takes_own_identity;
  asio::steady_timer timer;
  std::map<std::uint64_t, Standing> standing;
};

PreparedRuns::PreparedRuns(asio::io_context& context, Launcher& launcher, std::size_t count_max,
                           MakeOrder make_order, TakesOwnIdentity takes_own_identity)
    : state_(std::make_shared<State>(context, launcher, count_max, std::move(make_order),
                                     std::move(takes_own_identity))) {}

PreparedRuns::~PreparedRuns() {
  state_->timer.cancel();
  state_->standing.clear();
}

std::optional<PreparedRuns::Ready> PreparedRuns::take(const ResolvedPolicy& policy) {
  const auto number = state_->stock.take(policy, Clock::now());
  if (!number) state_->make_room();
  state_->look_again_later();
  if (!number) return std::nullopt;
  auto found = state_->standing.extract(*number);
  State::Standing& one = found.mapped();
  one.link.notify(nullptr);
  return Ready{*number, one.own_identity, std::move(one.link)};
}

std::size_t PreparedRuns::count_ready() const {
  return state_->stock.count_ready();
}

void PreparedRuns::State::look_again_later() {
  const auto at = stock.next_look(Clock::now());
  timer.cancel();
  if (!at) return;
  timer.expires_at(*at);
  timer.async_wait([weak = weak_from_this()](const boost::system::error_code& problem) {
    const auto self = weak.lock();
    if (!problem && self) self->work();
  });
}

/// A run that is made now must not wait for an id which one that is not ready holds: there may be
/// just as many as runs at a time.
void PreparedRuns::State::make_room() {
  const IdentityPool* const pool = launcher.identities();
  if (pool == nullptr || pool->taken() < pool->range().count) return;
  for (const auto& [number, one] : std::exchange(standing, {})) stock.lost(number, Clock::now());
  stock.defer_briefly(Clock::now());
}

void PreparedRuns::State::work() {
  for (const auto number : stock.outdated(Clock::now())) standing.erase(number);
  if (stock.lacks_one(Clock::now()) && !make_one()) stock.defer(Clock::now());
  look_again_later();
}

/// Whether one is being made, or no more are to be.
bool PreparedRuns::State::make_one() {
  const std::uint64_t number = launcher.next_run_number();
  IdentityPool* const pool = takes_own_identity(stock.policy()) ? launcher.identities() : nullptr;
  // Most of the ids are for runs that have something to do.
  const bool may_take = pool != nullptr && 2 * pool->taken() < pool->range().count;
  auto lease = may_take ? pool->take() : std::nullopt;
  if (pool != nullptr && !lease) return stock.defer_briefly(Clock::now()), true;
  const auto own = lease ? std::optional(lease->identity()) : std::nullopt;
  const auto order = make_order(stock.policy(), number, own);
  if (!order) return false;
  stock.allow(prepared_runs_max(*order));
  if (!stock.lacks_one(Clock::now())) return true;
  auto link = launcher.prepare_run(*order, std::move(lease));
  if (!link) return false;
  stock.making(number, Clock::now());
  const auto made = standing.emplace(number, Standing{own, *std::move(link)}).first;
  made->second.link.notify([this, number] { on_event(number); });
  return true;
}

void PreparedRuns::State::on_event(std::uint64_t number) {
  const auto found = standing.find(number);
  const auto record = found->second.link.take();
  if (!record) return;
  if (std::holds_alternative<RunPrepared>(record->event)) {
    stock.ready(number);
  } else {
    standing.erase(found);
    stock.lost(number, Clock::now());
  }
  look_again_later();
}

std::size_t prepared_runs_max(const LaunchOrder& order) {
  if (order.engine != Engine::native) return 0;
  // Who has the same user and sees the same files could leave something in its scratch directory,
  // where interpreters look for code, while it stands and waits.
  if (!(order.native && order.native->confined) && !order.identity_is_own) return 0;
  if (order.network && order.network->egress != Egress::slirp4netns) return 0;
  std::size_t most = std::numeric_limits<std::size_t>::max();
  for (const auto& setting : order.resource_settings) {
    if (setting.resource != Resource::processes || order.identity_is_own) continue;
    most = static_cast<std::size_t>(setting.value / share_of_processes);
  }
  return most;
}

}  // namespace satellite::sandbox
