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
// node 20 has eleven threads, and each stands beside its init: so many of the user's processes that
// all together take an eighth of the limit.
constexpr std::uint64_t standing_share = std::uint64_t{8} * 13;

}  // namespace

struct StandingRuns::State : std::enable_shared_from_this<State> {
  enum class Stage { preparing, starting, loading, counted };

  struct Standing {
    Standing(asio::io_context& context, Ready made, LaunchOrder wanted,
             PreparedMemory::Share its_memory)
        : ready(std::move(made)),
          order(std::move(wanted)),
          memory(std::move(its_memory)),
          answer(context),
          alarm(context) {}
    Stage stage = Stage::preparing;
    Ready ready;
    LaunchOrder order;
    PreparedMemory::Share memory;
    /// A copy of the read end, to be told of the first byte.
    asio::posix::stream_descriptor answer;
    asio::steady_timer alarm;
  };

  State(asio::io_context& io, Launcher& process, const StandingSettings& wanted,
        PreparedMemory& memory, MakeOrder make, PreparedStock::OwnIdsOf own,
        PreparedStock::Dropped tell)
      : context(io),
        launcher(process),
        settings(wanted),
        stock(io, process, settings.count_max, memory, std::move(own)),
        make_order(std::move(make)),
        dropped(std::move(tell)) {}

  void want(const StandingKind& wanted);
  void work();
  void look_again_later();
  void give_up_all();
  void add(PreparedStock::Made made);
  void on_event(std::uint64_t number);
  bool advance(Standing& one, LauncherRecord record);
  bool begin(Standing& one);
  void take_first_census(Standing& one, const RunCounted& census);
  void wait_until_loaded(Standing& one);
  void on_loaded(std::uint64_t number);
  void lose(std::uint64_t number, std::string_view why);

  asio::io_context& context;
  Launcher& launcher;
  const StandingSettings settings;
  PreparedStock stock;
  MakeOrder make_order;
  PreparedStock::Dropped dropped;
  std::optional<StandingKind> kind;
  std::map<std::uint64_t, Standing> standing;
};

StandingRuns::StandingRuns(asio::io_context& context, Launcher& launcher,
                           const StandingSettings& settings, PreparedMemory& memory,
                           MakeOrder make_order, PreparedStock::OwnIdsOf own_ids,
                           PreparedStock::Dropped dropped)
    : state_(std::make_shared<State>(context, launcher, settings, memory, std::move(make_order),
                                     std::move(own_ids), std::move(dropped))) {}

StandingRuns::~StandingRuns() {
  state_->stock.stop();
  state_->standing.clear();
}

void StandingRuns::busy() {
  state_->stock.policy().busy();
}

void StandingRuns::idle() {
  state_->stock.policy().idle(Clock::now());
  state_->look_again_later();
}

std::size_t StandingRuns::count_ready() const {
  return state_->stock.policy().count_ready();
}

/// Another runtime or tree makes those that stand useless, as another policy does.
void StandingRuns::State::want(const StandingKind& wanted) {
  const bool is_same =
      kind && kind->runtime == wanted.runtime && kind->node_modules == wanted.node_modules;
  if (!is_same) {
    for (const auto& [number, one] : std::exchange(standing, {})) stock.policy().drop(number);
    stock.forget_size();
  }
  kind = wanted;
}

std::optional<StandingRuns::Ready> StandingRuns::take(const StandingKind& kind) {
  state_->want(kind);
  const auto number = state_->stock.policy().take(kind.policy, Clock::now());
  if (!number && state_->stock.holds_the_last_id()) state_->give_up_all();
  std::optional<Ready> ready;
  if (number) {
    ready.emplace(std::move(state_->standing.extract(*number).mapped().ready));
    ready->link.notify(nullptr);
    ready->link.count();
  }
  state_->look_again_later();
  return ready;
}

asio::awaitable<Result<void>> StandingRuns::counted_again(Ready& ready) {
  asio::steady_timer alarm(state_->context, state_->settings.census_time_max);
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  auto spoke = ready.link.arrived();
  auto rang = alarm.async_wait(token);
  co_await (std::move(spoke) || std::move(rang));
  const auto record = ready.link.take();
  const auto* census = record ? std::get_if<RunCounted>(&record->event) : nullptr;
  if (census != nullptr && census->difference.empty()) co_return Result<void>();
  co_return Error{ErrorCode::unavailable,
                  census != nullptr ? census->difference : "it ended, or could not be counted"};
}

void StandingRuns::State::look_again_later() {
  stock.look_again_later([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->work();
  });
}

void StandingRuns::State::give_up_all() {
  for (const auto& [number, one] : std::exchange(standing, {}))
    stock.policy().lost(number, Clock::now());
  stock.policy().defer_briefly(Clock::now());
}

void StandingRuns::State::work() {
  for (const auto number : stock.policy().outdated(Clock::now())) standing.erase(number);
  auto made = stock.make_one(
      [this](std::uint64_t number, const std::optional<OwnIdentity>& own) {
        return make_order(*kind, number, own);
      },
      standing_runs_max);
  if (made) add(*std::move(made));
  look_again_later();
}

void StandingRuns::State::add(PreparedStock::Made made) {
  const std::uint64_t number = made.number;
  Ready ready{number, made.own_identity,   encode_setup(made.order), {}, {}, {}, {},
              {},     std::move(made.link)};
  Standing& one = standing
                      .try_emplace(number, context, std::move(ready), std::move(made.order),
                                   std::move(made.memory))
                      .first->second;
  one.ready.link.notify([this, number] { on_event(number); });
  one.alarm.expires_after(stand_time_max);
  one.alarm.async_wait([weak = weak_from_this(), number](const boost::system::error_code& problem) {
    const auto self = weak.lock();
    if (!problem && self) self->lose(number, "it did not start in time");
  });
}

void StandingRuns::State::lose(std::uint64_t number, std::string_view why) {
  if (standing.erase(number) == 0) return;
  dropped(why);
  stock.policy().lost(number, Clock::now());
  look_again_later();
}

void StandingRuns::State::on_event(std::uint64_t number) {
  const auto found = standing.find(number);
  if (found == standing.end()) return;
  auto record = found->second.ready.link.take();
  if (!record) return;
  if (const auto* census = std::get_if<RunCounted>(&record->event);
      census != nullptr && found->second.stage == Stage::loading) {
    return take_first_census(found->second, *census);
  }
  const std::string why = reason_of_end(*record);
  if (!advance(found->second, *std::move(record))) lose(number, why);
}

/// False where this is not what comes next on the way to standing.
bool StandingRuns::State::advance(Standing& one, LauncherRecord record) {
  if (const auto* prepared = std::get_if<RunPrepared>(&record.event);
      prepared != nullptr && one.stage == Stage::preparing) {
    return begin(one);
  }
  auto* started = std::get_if<RunStarted>(&record.event);
  if (started == nullptr || one.stage != Stage::starting) return false;
  one.ready.started = std::move(*started);
  one.stage = Stage::loading;
  wait_until_loaded(one);
  return true;
}

void StandingRuns::State::take_first_census(Standing& one, const RunCounted& census) {
  const std::uint64_t number = one.ready.number;
  if (!census.difference.empty()) return lose(number, census.difference);
  if (!stock.measured(number, one.memory, {census.own_memory})) {
    dropped(PreparedStock::no_room);
    standing.erase(number);
  } else {
    one.stage = Stage::counted;
    one.alarm.cancel();
    stock.policy().ready(number);
  }
  look_again_later();
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
  if (size != 1 || said != 'R') return lose(number, "it ended before it was loaded");
  one.alarm.expires_after(settings.settle_time);
  one.alarm.async_wait([weak = weak_from_this(), number](const boost::system::error_code& problem) {
    const auto self = weak.lock();
    if (problem || !self) return;
    const auto settled = self->standing.find(number);
    if (settled != self->standing.end()) settled->second.ready.link.count();
  });
}

StandingKind standing_kind_of(const RunRequest& request, const ResolvedPolicy& policy,
                              const ModuleRuntime& runtime) {
  const auto& packages = request.module.packages;
  return {policy, runtime, packages ? packages->node_modules : std::string()};
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
