#include "sandbox/running/prepared_runs.hpp"

#include <boost/asio/steady_timer.hpp>
#include <limits>
#include <map>
#include <utility>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;

// Each is two processes, and all together may take an eighth of the limit.
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
        run_policy(count_max),
        make_order(std::move(make)),
        takes_own_identity(std::move(own)),
        timer(context) {}

  void work();
  void look_again_later();
  void make_room();
  bool make_one();
  void on_event(std::uint64_t number);

  Launcher& launcher;
  PreparedRunPolicy run_policy;
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
  const auto number = state_->run_policy.take(policy, Clock::now());
  if (!number) state_->make_room();
  state_->look_again_later();
  if (!number) return std::nullopt;
  auto found = state_->standing.extract(*number);
  State::Standing& one = found.mapped();
  one.link.notify(nullptr);
  return Ready{*number, one.own_identity, std::move(one.link)};
}

std::size_t PreparedRuns::count_ready() const {
  return state_->run_policy.count_ready();
}

void PreparedRuns::State::look_again_later() {
  const auto at = run_policy.next_look(Clock::now());
  timer.cancel();
  if (!at) return;
  timer.expires_at(*at);
  timer.async_wait([weak = weak_from_this()](const boost::system::error_code& problem) {
    const auto self = weak.lock();
    if (!problem && self) self->work();
  });
}

/// Gives up all prepared runs when every id is taken: a run that is asked for now must not wait for
/// an id that one of them holds.
void PreparedRuns::State::make_room() {
  const IdentityPool* const pool = launcher.identities();
  if (pool == nullptr || pool->taken() < pool->range().count) return;
  for (const auto& [number, one] : std::exchange(standing, {}))
    run_policy.lost(number, Clock::now());
  run_policy.defer_briefly(Clock::now());
}

void PreparedRuns::State::work() {
  for (const auto number : run_policy.outdated(Clock::now())) standing.erase(number);
  if (run_policy.lacks_one(Clock::now()) && !make_one()) run_policy.defer(Clock::now());
  look_again_later();
}

/// False when making one failed; true when one is being made or none is wanted.
bool PreparedRuns::State::make_one() {
  const std::uint64_t number = launcher.next_run_number();
  IdentityPool* const pool =
      takes_own_identity(run_policy.policy()) ? launcher.identities() : nullptr;
  // At most half of the ids, so that most are left for runs with a task.
  const bool may_take = pool != nullptr && 2 * pool->taken() < pool->range().count;
  auto lease = may_take ? pool->take() : std::nullopt;
  if (pool != nullptr && !lease) {
    run_policy.defer_briefly(Clock::now());
    return true;
  }
  const auto own = lease ? std::optional(lease->identity()) : std::nullopt;
  const auto order = make_order(run_policy.policy(), number, own);
  if (!order) return false;
  run_policy.allow(prepared_runs_max(*order));
  if (!run_policy.lacks_one(Clock::now())) return true;
  auto link = launcher.prepare_run(*order, std::move(lease));
  if (!link) return false;
  run_policy.making(number, Clock::now());
  const auto made = standing.emplace(number, Standing{own, *std::move(link)}).first;
  made->second.link.notify([this, number] { on_event(number); });
  return true;
}

void PreparedRuns::State::on_event(std::uint64_t number) {
  const auto found = standing.find(number);
  const auto record = found->second.link.take();
  if (!record) return;
  if (std::holds_alternative<RunPrepared>(record->event)) {
    run_policy.ready(number);
  } else {
    standing.erase(found);
    run_policy.lost(number, Clock::now());
  }
  look_again_later();
}

std::size_t prepared_runs_max(const LaunchOrder& order) {
  if (order.engine != Engine::native) return 0;
  // Another run with the same user and the same files could leave something in its scratch
  // directory, where interpreters look for code, while it waits.
  if (!(order.native && order.native->confined) && !order.identity_is_own) return 0;
  // Its one address would be kept from the runs that are due.
  if (order.network && order.network->egress == Egress::macvlan) return 0;
  std::size_t most = std::numeric_limits<std::size_t>::max();
  for (const auto& setting : order.resource_settings) {
    if (setting.resource != Resource::processes || order.identity_is_own) continue;
    most = static_cast<std::size_t>(setting.value / share_of_processes);
  }
  return most;
}

}  // namespace satellite::sandbox
