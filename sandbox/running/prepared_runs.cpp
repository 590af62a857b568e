#include "sandbox/running/prepared_runs.hpp"

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
    std::optional<OwnIdentity> own_identity;
    LaunchedRunLink link;
    PreparedMemory::Share memory;
  };

  State(asio::io_context& context, Launcher& launcher, std::size_t count_max,
        PreparedMemory& memory, MakeOrder make, PreparedStock::OwnIdsOf own,
        PreparedStock::Dropped tell)
      : stock(context, launcher, count_max, memory, std::move(own)),
        make_order(std::move(make)),
        dropped(std::move(tell)) {}

  void work();
  void look_again_later();
  void give_up_all();
  void on_event(std::uint64_t number);

  PreparedStock stock;
  MakeOrder make_order;
  PreparedStock::Dropped dropped;
  std::map<std::uint64_t, Standing> standing;
};

PreparedRuns::PreparedRuns(asio::io_context& context, Launcher& launcher, std::size_t count_max,
                           PreparedMemory& memory, MakeOrder make_order,
                           PreparedStock::OwnIdsOf own_ids, PreparedStock::Dropped dropped)
    : state_(std::make_shared<State>(context, launcher, count_max, memory, std::move(make_order),
                                     std::move(own_ids), std::move(dropped))) {}

PreparedRuns::~PreparedRuns() {
  state_->stock.stop();
  state_->standing.clear();
}

std::optional<PreparedRuns::Ready> PreparedRuns::take(const ResolvedPolicy& policy) {
  const auto number = state_->stock.policy().take(policy, Clock::now());
  if (!number && state_->stock.holds_the_last_id()) state_->give_up_all();
  std::optional<Ready> ready;
  if (number) {
    auto found = state_->standing.extract(*number);
    State::Standing& one = found.mapped();
    one.link.notify(nullptr);
    ready.emplace(Ready{*number, one.own_identity, std::move(one.link)});
  }
  state_->look_again_later();
  return ready;
}

void PreparedRuns::busy() {
  state_->stock.policy().busy();
}

void PreparedRuns::idle() {
  state_->stock.policy().idle(Clock::now());
  state_->look_again_later();
}

std::size_t PreparedRuns::count_ready() const {
  return state_->stock.policy().count_ready();
}

void PreparedRuns::State::look_again_later() {
  stock.look_again_later([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->work();
  });
}

void PreparedRuns::State::give_up_all() {
  for (const auto& [number, one] : std::exchange(standing, {}))
    stock.policy().lost(number, Clock::now());
  stock.policy().defer_briefly(Clock::now());
}

void PreparedRuns::State::work() {
  for (const auto number : stock.policy().outdated(Clock::now())) standing.erase(number);
  auto made = stock.make_one(
      [this](std::uint64_t number, const std::optional<OwnIdentity>& own) {
        return make_order(stock.policy().policy(), number, own);
      },
      prepared_runs_max);
  if (made) {
    const auto number = made->number;
    Standing one{made->own_identity, std::move(made->link), std::move(made->memory)};
    auto& link = standing.emplace(number, std::move(one)).first->second.link;
    link.notify([this, number] { on_event(number); });
  }
  look_again_later();
}

void PreparedRuns::State::on_event(std::uint64_t number) {
  const auto found = standing.find(number);
  const auto record = found->second.link.take();
  if (!record) return;
  const auto* prepared = std::get_if<RunPrepared>(&record->event);
  if (prepared == nullptr) {
    standing.erase(found);
    stock.policy().lost(number, Clock::now());
    dropped(reason_of_end(*record));
  } else if (stock.measured(number, found->second.memory, {prepared->own_memory})) {
    stock.policy().ready(number);
  } else {
    standing.erase(found);
    dropped(PreparedStock::no_room);
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
