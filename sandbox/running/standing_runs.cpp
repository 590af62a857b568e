#include "sandbox/running/standing_runs.hpp"

#include "sandbox/launcher/wire/order_codec.hpp"
#include "sandbox/running/pipe.hpp"
#include "sandbox/running/prepared_runs.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <utility>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;

// A runtime takes a fifth of a second at most; one that hangs is given up.
constexpr std::chrono::seconds stand_time_max{20};
// After the first word a runtime still goes to sleep: threads and descriptors of its read come
// then.
constexpr std::chrono::milliseconds settle_time{100};
// Two reads of some files of /proc; a launcher that takes longer has other troubles.
constexpr std::chrono::seconds census_time_max{1};
// node 20 has eleven threads, and each stands beside its init: so many of the user's processes that
// all together take an eighth of the limit.
constexpr std::uint64_t standing_share = std::uint64_t{8} * 13;

}  // namespace

struct StandingRuns::State : std::enable_shared_from_this<State> {
  enum class Stage { preparing, starting, loading, counted };

  struct Standing {
    Standing(asio::io_context& context, Ready made, LaunchOrder wanted)
        : ready(std::move(made)), order(std::move(wanted)), answer(context), alarm(context) {}
    Stage stage = Stage::preparing;
    Ready ready;
    LaunchOrder order;
    asio::posix::stream_descriptor
        answer;  ///< a copy of the read end, to be told of the first byte
    asio::steady_timer alarm;
  };

  State(asio::io_context& io, Launcher& process, std::size_t count_max, MakeOrder make,
        TakesOwnIdentity own)
      : context(io),
        launcher(process),
        run_policy(count_max),
        make_order(std::move(make)),
        takes_own_identity(std::move(own)),
        timer(io) {}

  void want(const StandingKind& wanted);
  void work();
  void look_again_later();
  void make_room();
  bool make_one();
  void on_event(std::uint64_t number);
  bool advance(Standing& one, LauncherRecord record);
  bool begin(Standing& one);
  void wait_until_loaded(Standing& one);
  void on_loaded(std::uint64_t number);
  void lose(std::uint64_t number);

  asio::io_context& context;
  Launcher& launcher;
  PreparedRunPolicy run_policy;
  MakeOrder make_order;
  TakesOwnIdentity takes_own_identity;
  asio::steady_timer timer;
  std::optional<StandingKind> kind;
  std::map<std::uint64_t, Standing> standing;
  std::string difference;
};

StandingRuns::StandingRuns(asio::io_context& context, Launcher& launcher, std::size_t count_max,
                           MakeOrder make_order, TakesOwnIdentity takes_own_identity)
    : state_(std::make_shared<State>(context, launcher, count_max, std::move(make_order),
                                     std::move(takes_own_identity))) {}

StandingRuns::~StandingRuns() {
  state_->timer.cancel();
  state_->standing.clear();
}

std::size_t StandingRuns::count_ready() const {
  return state_->run_policy.count_ready();
}

const std::string& StandingRuns::last_difference() const {
  return state_->difference;
}

/// Another runtime or tree makes those that stand useless, as another policy does.
void StandingRuns::State::want(const StandingKind& wanted) {
  const bool is_same =
      kind && kind->runtime == wanted.runtime && kind->node_modules == wanted.node_modules;
  if (!is_same) {
    for (const auto& [number, one] : std::exchange(standing, {})) run_policy.drop(number);
  }
  kind = wanted;
}

asio::awaitable<std::optional<StandingRuns::Ready>> StandingRuns::take(const StandingKind& kind) {
  const auto state = state_;
  state->want(kind);
  const auto number = state->run_policy.take(kind.policy, Clock::now());
  if (!number) state->make_room();
  state->look_again_later();
  if (!number) co_return std::nullopt;
  auto found = state->standing.extract(*number);
  Ready ready = std::move(found.mapped().ready);
  ready.link.notify(nullptr);
  ready.link.count();
  asio::steady_timer alarm(state->context, census_time_max);
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  auto spoke = ready.link.arrived();
  auto rang = alarm.async_wait(token);
  co_await (std::move(spoke) || std::move(rang));
  const auto record = ready.link.take();
  const auto* census = record ? std::get_if<RunCounted>(&record->event) : nullptr;
  if (census != nullptr && census->difference.empty()) co_return ready;
  state->difference = census != nullptr ? census->difference : "it ended, or could not be counted";
  co_return std::nullopt;
}

void StandingRuns::State::look_again_later() {
  const auto at = run_policy.next_look(Clock::now());
  timer.cancel();
  if (!at) return;
  timer.expires_at(*at);
  timer.async_wait([weak = weak_from_this()](const boost::system::error_code& problem) {
    const auto self = weak.lock();
    if (!problem && self) self->work();
  });
}

/// A run that is asked for now must not wait for an id that one of them holds.
void StandingRuns::State::make_room() {
  const IdentityPool* const pool = launcher.identities();
  if (pool == nullptr || pool->taken() < pool->range().count) return;
  for (const auto& [number, one] : std::exchange(standing, {}))
    run_policy.lost(number, Clock::now());
  run_policy.defer_briefly(Clock::now());
}

void StandingRuns::State::work() {
  for (const auto number : run_policy.outdated(Clock::now())) standing.erase(number);
  if (run_policy.lacks_one(Clock::now()) && !make_one()) run_policy.defer(Clock::now());
  look_again_later();
}

/// False when making one failed; true when one is being made or none is wanted.
bool StandingRuns::State::make_one() {
  const std::uint64_t number = launcher.next_run_number();
  IdentityPool* const pool = takes_own_identity(kind->policy) ? launcher.identities() : nullptr;
  const bool may_take = pool != nullptr && 2 * pool->taken() < pool->range().count;
  auto lease = may_take ? pool->take() : std::nullopt;
  if (pool != nullptr && !lease) {
    run_policy.defer_briefly(Clock::now());
    return true;
  }
  const auto own = lease ? std::optional(lease->identity()) : std::nullopt;
  auto order = make_order(*kind, number, own);
  if (!order) return false;
  run_policy.allow(standing_runs_max(*order));
  if (!run_policy.lacks_one(Clock::now())) return true;
  auto link = launcher.prepare_run(*order, std::move(lease));
  if (!link) return false;
  run_policy.making(number, Clock::now());
  Ready ready{number, own, encode_setup(*order), {}, {}, {}, {}, {}, *std::move(link)};
  const auto made =
      standing.try_emplace(number, context, std::move(ready), *std::move(order)).first;
  Standing& one = made->second;
  one.ready.link.notify([this, number] { on_event(number); });
  one.alarm.expires_after(stand_time_max);
  one.alarm.async_wait([weak = weak_from_this(), number](const boost::system::error_code& problem) {
    const auto self = weak.lock();
    if (!problem && self) self->lose(number);
  });
  return true;
}

void StandingRuns::State::lose(std::uint64_t number) {
  if (standing.erase(number) == 0) return;
  run_policy.lost(number, Clock::now());
  look_again_later();
}

void StandingRuns::State::on_event(std::uint64_t number) {
  const auto found = standing.find(number);
  if (found == standing.end()) return;
  auto record = found->second.ready.link.take();
  if (!record) return;
  if (!advance(found->second, *std::move(record))) lose(number);
}

/// False where this is not what comes next on the way to standing.
bool StandingRuns::State::advance(Standing& one, LauncherRecord record) {
  if (std::holds_alternative<RunPrepared>(record.event) && one.stage == Stage::preparing) {
    return begin(one);
  }
  if (auto* started = std::get_if<RunStarted>(&record.event);
      started != nullptr && one.stage == Stage::starting) {
    one.ready.started = std::move(*started);
    one.stage = Stage::loading;
    wait_until_loaded(one);
    return true;
  }
  const auto* counted = std::get_if<RunCounted>(&record.event);
  if (counted == nullptr || one.stage != Stage::loading) return false;
  difference = counted->difference;
  if (!difference.empty()) return false;
  one.stage = Stage::counted;
  one.alarm.cancel();
  run_policy.ready(one.ready.number);
  look_again_later();
  return true;
}

bool StandingRuns::State::begin(Standing& one) {
  auto output = make_pipe(), error = make_pipe(), task = make_pipe(), answer = make_pipe();
  if (!output || !error || !task || !answer) return false;
  Launcher::Streams streams{std::move(output->write_end), std::move(error->write_end),
                            std::move(task->read_end), std::move(answer->write_end)};
  if (!launcher.begin_run(one.order, std::move(streams))) return false;
  one.ready.standard_output = std::move(output->read_end);
  one.ready.standard_error = std::move(error->read_end);
  one.ready.task = std::move(task->write_end);
  one.ready.answer = std::move(answer->read_end);
  one.stage = Stage::starting;
  return true;
}

void StandingRuns::State::wait_until_loaded(Standing& one) {
  const int copy = ::fcntl(one.ready.answer.get(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return;  // its alarm gives it up
  one.answer.assign(copy);
  one.answer.async_wait(asio::posix::descriptor_base::wait_read,
                        [weak = weak_from_this(),
                         number = one.ready.number](const boost::system::error_code& problem) {
                          const auto self = weak.lock();
                          if (!problem && self) self->on_loaded(number);
                        });
}

/// The first byte of the answer, or its end.
void StandingRuns::State::on_loaded(std::uint64_t number) {
  const auto found = standing.find(number);
  if (found == standing.end()) return;
  Standing& one = found->second;
  char said = 0;
  const ssize_t size = ::read(one.ready.answer.get(), &said, 1);
  one.answer.close();
  if (size != 1 || said != 'R') return lose(number);
  one.alarm.expires_after(settle_time);
  one.alarm.async_wait([weak = weak_from_this(), number](const boost::system::error_code& problem) {
    const auto self = weak.lock();
    if (problem || !self) return;
    const auto settled = self->standing.find(number);
    if (settled != self->standing.end()) settled->second.ready.link.count();
  });
}

std::size_t standing_runs_max(const LaunchOrder& order) {
  std::size_t most = prepared_runs_max(order);
  for (const auto& setting : order.resource_settings) {
    if (setting.resource != Resource::processes || order.identity_is_own) continue;
    most = std::min(most, static_cast<std::size_t>(setting.value / standing_share));
  }
  return most;
}

}  // namespace satellite::sandbox
