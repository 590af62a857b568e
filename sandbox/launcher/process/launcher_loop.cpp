// The loop: what a request starts and what an event leads to.
#include "sandbox/launcher/process/launcher_loop.hpp"

#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/kernel/user_processes.hpp"
#include "sandbox/launcher/process/detach_from_agent.hpp"
#include "sandbox/launcher/process/event_wait.hpp"
#include "sandbox/launcher/process/namespace_probe.hpp"
#include "sandbox/launcher/wire/order_codec.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <algorithm>
#include <span>
#include <utility>

namespace satellite::sandbox {
namespace {

// A host on which so many runs hang in the kernel is of no use to another one.
constexpr std::size_t unkillable_runs_max = 64;
// Runs leave more behind than can be removed; more of them would only fill the disk.
constexpr std::size_t removals_pending_max = 256;
/// The order that came first among a request's descriptors, if the others are as many as it needs.
Result<LaunchOrder> order_among(const std::vector<UniqueFd>& descriptors, std::uint64_t number,
                                Task task) {
  const Error wrong{ErrorCode::invalid_input, "wrong descriptors"};
  if (descriptors.empty()) return wrong;
  auto order = take_order(descriptors[0].get(), number);
  if (!order) return order.error();
  const std::size_t further =
      (order->is_module ? module_descriptors : 0) + (order->state_bytes > 0 ? 1 : 0);
  const std::size_t wanted =
      task == Task::given ? start_descriptors + further : prepare_descriptors;
  if (descriptors.size() != wanted) return wrong;
  return order;
}

/// The rest of them.
RunStreams streams_among(std::vector<UniqueFd> descriptors, const LaunchOrder& order) {
  RunStreams streams{std::move(descriptors[1]), std::move(descriptors[2]), {}, {}};
  if (order.is_module) {
    streams.module_task = std::move(descriptors[3]);
    streams.module_answer = std::move(descriptors[4]);
  }
  if (order.state_bytes > 0) streams.state = std::move(descriptors.back());
  return streams;
}

UniqueFd duplicate_of(const UniqueFd& descriptor) {
  return UniqueFd(::fcntl(descriptor.get(), F_DUPFD_CLOEXEC, 0));
}

}  // namespace

void LauncherLoop::serve() {
  removals_.sweep();
  while (!agent_gone_) turn();
}

int LauncherLoop::wait_milliseconds() const {
  constexpr std::chrono::seconds next_try(1);  // to start a process that was not to be had
  std::optional<Clock::time_point> first = networks_.deadline();
  for (const auto& deadline : {templates_.deadline(), stock_.deadline()}) {
    if (deadline && (!first || *deadline < *first)) first = deadline;
  }
  for (const auto& run : runs_) {
    const auto look = run->next_look();
    if (look && (!first || *look < *first)) first = look;
  }
  if (!ended_runs_.empty() && (!first || orphan_look_at_ < *first)) first = orphan_look_at_;
  if (removals_.is_stuck() && (!first || Clock::now() + next_try < *first)) {
    first = Clock::now() + next_try;
  }
  if (agent_gone_) return 50;
  if (!first) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - Clock::now());
  return std::max(0, static_cast<int>(left.count()));
}

void LauncherLoop::turn() {
  std::vector<pollfd> watched{{agent_gone_ ? -1 : agent_.get(), POLLIN, 0},
                              {signals_.get(), POLLIN, 0}};
  // Descriptors, not positions: a run may end, and another begin, while the events are worked off.
  for (const auto& run : runs_) {
    watched.push_back({run->barrier_fd(), POLLIN, 0});
    watched.push_back({run->control_fd(), POLLIN, 0});
  }
  const auto known = runs_.size();
  networks_.watch(watched);
  templates_.watch(watched);
  stock_.watch(watched);
  wait_for_events(watched, wait_milliseconds());
  for (std::size_t i = 0; i < known; ++i) {
    LaunchedRun& run = *runs_[i];
    if (watched[2 + 2 * i].revents != 0) report_standing(run, run.on_barrier(state_));
    if (watched[3 + 2 * i].revents != 0) run.on_control();
    if (run.tree_is_dead() && !copies_.pack(run)) bring_down(run);
  }
  const auto others = std::span(watched).subspan(2 + 2 * known);
  networks_.work_off(others);
  templates_.work_off(others);
  stock_.work_off(others);
  for (const auto& run : runs_) run->let_go_of_disks(templates_.last_generation());
  const auto now = Clock::now();
  kill_overdue_runs(now);
  networks_.fail_overdue(now);
  templates_.fail_overdue(now);
  stock_.look(now);
  for (const auto& name : std::exchange(*state_.unused_roots, {})) removals_.remove_later(name);
  if (removals_.is_stuck()) removals_.work();
  if (watched[1].revents != 0) on_signals();
  if (watched[0].revents != 0) on_agent();
  refill_stock();
}

/// While wrapper and namespaces come down there is time for it.
void LauncherLoop::bring_down(LaunchedRun& run) {
  const bool lost_uplink = networks_.end_uplink(run.number());
  removals_.remove(run.take_scratch_name());
  if (may_report_early()) {
    if (const auto end = run.take_early_end(lost_uplink)) send(*end);
  }
  run.release_init();
}

/// The script may go, or what it left is packed.
void LauncherLoop::on_copied(const StateCopies::Ended& copy) {
  LaunchedRun* const run = find(copy.run_number);
  if (run == nullptr) return;
  if (!copy.started) {
    run->state().packed(copy.problem);
  } else if (!run->state().filled(copy.problem)) {
    run->fail({SetupStep::prepare, 0, 0, "the state of its check: " + copy.problem});
  } else if (!run->is_ending()) {
    send(*copy.started);
    run->release();
  }
  if (run->tree_is_dead() && !copies_.pack(*run)) bring_down(*run);
}

/// Beside what scripts do, never beside the set-up that somebody waits for.
void LauncherLoop::refill_stock() {
  const bool busy = std::any_of(runs_.begin(), runs_.end(),
                                [](const auto& run) { return run->is_being_set_up(); });
  if (busy || agent_gone_) return;
  const ParentNamespaces* const parents = templates_.parents();
  stock_.refill(Clock::now(), parents == nullptr ? -1 : parents->user.get());
}

void LauncherLoop::on_agent() {
  std::array<std::byte, record_size_max> buffer;
  auto received = kernel::receive_message(agent_.get(), buffer);
  if (!received) {
    agent_gone_ = true;
    return;
  }
  if (!*received) return;
  auto& message = **received;
  if (message.size == 0) {
    agent_gone_ = true;
    return;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(buffer.data()), message.size);
  const auto request = decode_request(bytes);
  // A peer that does not speak our language is not our agent any more: same as gone.
  if (!request || (message.truncated && !message.lost_descriptors)) {
    agent_gone_ = true;
    return;
  }
  if (message.lost_descriptors) return fail_for_lack_of_descriptors(*request);
  on_request(*request, std::move(message.descriptors));
}

/// The order of a run lies behind a descriptor, so that nothing of it is known.
void LauncherLoop::fail_for_lack_of_descriptors(const LauncherRequest& request) {
  const RunSetupFailed failure{SetupStep::decode_order, 0, EMFILE, "of the launcher"};
  LaunchedRun* const run = find(request.run_number);
  if (run != nullptr) return run->fail(failure);
  send({request.run_number, failure});
}

void LauncherLoop::on_request(const LauncherRequest& request, std::vector<UniqueFd> descriptors) {
  if (request.kind == RequestKind::start || request.kind == RequestKind::prepare) {
    const Task task = request.kind == RequestKind::start ? Task::given : Task::awaited;
    return start_run(request.run_number, std::move(descriptors), task);
  }
  if (request.kind == RequestKind::begin) {
    return begin_run(request.run_number, std::move(descriptors));
  }
  if (request.kind == RequestKind::try_namespaces) {
    const auto tried = try_namespaces(request.identity);
    if (!tried) return send({request.run_number, tried.error()});
    return send({request.run_number, RunEnded{true}});
  }
  LaunchedRun* const run = find(request.run_number);
  // Not there: it waits for its network, or ended while the request was on its way.
  if (run == nullptr) return networks_.cancel(request.run_number);
  if (request.kind == RequestKind::count) {
    const bool is_cut_off = networks_.lost_uplink(request.run_number);
    return send(run->count(state_, is_cut_off, templates_.mounts_generation()));
  }
  if (request.kind == RequestKind::terminate) run->terminate();
  if (request.kind == RequestKind::kill) run->kill();
}

void LauncherLoop::start_run(std::uint64_t number, std::vector<UniqueFd> descriptors, Task task) {
  const bool is_known = find(number) != nullptr || networks_.holds(number);
  auto order = order_among(descriptors, number, task);
  if (is_known || !order) {
    const std::string why = is_known ? "the run is there already" : order.error().message;
    return send({number, RunSetupFailed{SetupStep::decode_order, 0, 0, why}});
  }
  if (const auto refusal = refusal_of(*order)) return send({number, *refusal});
  RunNetworks::Waiting run{*std::move(order), {}, task};
  if (task == Task::given) run.streams = streams_among(std::move(descriptors), run.order);
  if (run.order.network) {
    if (templates_.parents() != nullptr) networks_.make_below(templates_.parents()->user.get());
    return networks_.begin(std::move(run));
  }
  const auto launched = launch(std::move(run), {}, {});
  if (!launched) send({number, launched.error()});
}

/// The end of a run that is not there any more was reported; that of one that cannot begin will be.
void LauncherLoop::begin_run(std::uint64_t number, std::vector<UniqueFd> descriptors) {
  LaunchedRun* const run = find(number);
  if (run == nullptr) return networks_.cancel(number);
  const auto order = order_among(descriptors, number, Task::given);
  if (!order) return run->fail({SetupStep::decode_order, 0, 0, order.error().message});
  if (run->lost_scratch(state_.scratch)) {
    return run->fail({SetupStep::scratch_directory, 0, 0, "the scratch directory is gone"});
  }
  if (networks_.lost_uplink(number)) {
    return run->fail({SetupStep::network_slirp4netns, 0, 0, "the way out is gone"});
  }
  auto streams = streams_among(std::move(descriptors), *order);
  run->state().take_file(std::move(streams.state));
  run->begin(*order, streams, templates_.mounts_generation());
}

/// A run without a way out, unless a step that makes its network is made to fail.
bool LauncherLoop::takes_ready_network(const LaunchOrder& order) const {
  const bool is_possible = state_.is_root || templates_.parents() != nullptr;
  const bool is_routeless = !order.network || order.network->egress == Egress::routeless;
  const auto fails = [&order](SetupStep step) { return order.fault.step == step; };
  return state_.made_ahead.network && is_possible && order.native && order.native->own_network &&
         is_routeless && !fails(SetupStep::loopback) && !fails(SetupStep::network_namespace) &&
         !fails(SetupStep::network_loopback);
}

/// For a run without a way out that is to have ports of the host's loopback.
std::optional<NetworkNamespace> LauncherLoop::take_ready_network(const LaunchOrder& order) {
  if (!takes_ready_network(order)) return std::nullopt;
  NetworkNamespace ready;
  if (!state_.is_root) {
    ready.user_namespace = duplicate_of(templates_.parents()->user);
    if (!ready.user_namespace) return std::nullopt;
  }
  ready.network_namespace = stock_.take(Clock::now());
  if (!ready.network_namespace) return std::nullopt;
  ready.is_below_parents = !state_.is_root;
  ready.is_from_stock = true;
  return ready;
}

SetupResult<void> LauncherLoop::launch(RunNetworks::Waiting run, RunPlace place, UniqueFd network) {
  if (auto room = check_room(run.order); !room) return room;
  templates_.tell_of_mounts(place);
  // A network that is not below the parents keeps its run from all that is.
  const bool may_be_below = place.user_namespace_fd < 0 || place.parents != nullptr;
  const RootTemplate* const root = templates_.take(run.order);
  if (may_be_below) place.root = root;
  if (!run.order.network && takes_ready_network(run.order)) {
    network = stock_.take(Clock::now());
    if (network) place.network_namespace_fd = network.get();
    place.network_is_ready = bool{network};
  }
  // A wrapper enters its network itself.
  const bool is_below = place.root != nullptr || place.network_namespace_fd >= 0;
  const bool starts_there = may_be_below && is_below && run.order.native;
  place.parents = starts_there ? templates_.parents() : nullptr;
  auto started = LaunchedRun::start(run.order, std::move(run.streams), state_, place, run.task);
  if (!started) return std::move(started).error();
  (*started)->keep_network(std::move(network));
  runs_.push_back(*std::move(started));
  return {};
}

void LauncherLoop::report_standing(LaunchedRun& run, const std::optional<LauncherRecord>& record) {
  if (!record) return;
  const bool is_start = std::holds_alternative<RunStarted>(record->event);
  if (is_start && copies_.fill(run, *record)) return;
  send(*record);
  if (is_start) run.release();
}

RunNetworks::Events LauncherLoop::network_events() {
  RunNetworks::Events events;
  events.take_ready = [this](const LaunchOrder& order) { return take_ready_network(order); };
  events.may_join = [this](RunNetworks::Waiting waiting, const NetworkNamespace& made) {
    RunPlace place{made.user_namespace.get(), made.network_namespace.get()};
    if (made.is_below_parents) place.parents = templates_.parents();
    if (!made.is_from_stock) return launch(std::move(waiting), place, {});
    place.user_namespace_fd = -1;  // that of the parents, which are entered anyway
    place.network_is_ready = true;
    return launch(std::move(waiting), place, duplicate_of(made.network_namespace));
  };
  events.ready = [this](std::uint64_t number, const NetworkFacts& made) {
    if (LaunchedRun* run = find(number)) report_standing(*run, run->on_network(made, state_));
  };
  events.failed = [this](std::uint64_t number, const RunSetupFailed& failure) {
    if (LaunchedRun* run = find(number)) run->fail(failure);
  };
  events.ended = [this](const LauncherRecord& record) { send(record); };
  return events;
}

void LauncherLoop::on_signals() {
  signalfd_siginfo event{};
  while (::read(signals_.get(), &event, sizeof(event)) == static_cast<ssize_t>(sizeof(event))) {
    if (event.ssi_signo == static_cast<std::uint32_t>(agent_gone_signal)) agent_gone_ = true;
  }
  orphan_look_at_ = Clock::now();
  reap();
}

void LauncherLoop::send(const LauncherRecord& record) {
  const std::string bytes = encode_record(record);
  const auto sent = kernel::send_message(agent_.get(), std::as_bytes(std::span(bytes)));
  if (!sent) agent_gone_ = true;
}

LaunchedRun* LauncherLoop::find(std::uint64_t number) {
  for (const auto& run : runs_) {
    if (run->number() == number) return run.get();
  }
  return nullptr;
}

/// Whether another run may be started, and as this user. The agent assigns user ids; that no two
/// runs have the same one is checked here, where the runs are known.
SetupResult<void> LauncherLoop::check_room(const LaunchOrder& order) const {
  if (unkillable_runs() >= unkillable_runs_max) {
    return RunSetupFailed{SetupStep::prepare, 0, 0,
                          std::to_string(unkillable_runs_max) +
                              " earlier runs cannot be killed; look for processes in state D and "
                              "for the file system or device that they wait for"};
  }
  if (removals_.pending() >= removals_pending_max) {
    return RunSetupFailed{SetupStep::scratch_directory, 0, 0,
                          "the scratch directories of " + std::to_string(removals_pending_max) +
                              " earlier runs are not removed yet; look for scripts that leave very "
                              "many files in theirs, and for a slow disk"};
  }
  if (user_id_is_taken(order)) {
    return RunSetupFailed{SetupStep::user_id, 0, 0,
                          "user id " + std::to_string(order.identity->uid) +
                              " belongs to another run at this moment; let no policy name an id of "
                              "sandbox.uid_range"};
  }
  // Nothing but its user keeps the signals of such a script from others.
  if (order.init_uid == 0) return {};
  for (const std::uint32_t uid : {order.identity->uid, order.init_uid}) {
    if (!kernel::user_has_processes(uid)) continue;
    return RunSetupFailed{SetupStep::user_id, 0, 0,
                          "user id " + std::to_string(uid) +
                              " of sandbox.uid_range has processes that are no run's; choose ids "
                              "that no account and no entry of /etc/subuid has"};
  }
  return {};
}

bool LauncherLoop::user_id_is_taken(const LaunchOrder& order) const {
  if (!order.identity) return false;
  const auto has_it = [&order](const LaunchedRun& run) {
    const bool has_one =
        run.has_user(order.identity->uid) || (order.init_uid != 0 && run.has_user(order.init_uid));
    return has_one && (order.identity_is_own || run.identity_is_own());
  };
  return std::any_of(runs_.begin(), runs_.end(), [&](const auto& run) { return has_it(*run); }) ||
         std::any_of(ended_runs_.begin(), ended_runs_.end(),
                     [&](const EndedRun& one) { return has_it(*one.run); });
}

/// The agent never plans such a run; an agent that an attacker took over could.
std::optional<RunRefused> LauncherLoop::refusal_of(const LaunchOrder& order) const {
  if (!state_.keeps_scripts_from_root) return std::nullopt;
  if (order.identity && order.identity->uid != 0 && order.identity->gid != 0) return std::nullopt;
  return RunRefused{
      "privilege: the script would be root on this host (uid 0 or gid 0), which its operator does "
      "not allow; let the policy say drop-to-uid with sandbox.uid set, or set "
      "operator.allow_root_scripts"};
}

}  // namespace satellite::sandbox
