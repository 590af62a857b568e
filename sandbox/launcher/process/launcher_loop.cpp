// The loop: what a request starts, what an event leads to, how a run ends and what is left to do
// then.
#include "sandbox/launcher/process/launcher_loop.hpp"

#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/bare/kill_descendants.hpp"
#include "sandbox/launcher/process/namespace_probe.hpp"
#include "sandbox/launcher/wire/order_codec.hpp"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// After the agent is gone: what is not dead by then dies with us.
constexpr auto farewell_max = 5s;
constexpr int farewell_passes = 200;
// How long the loop may stand still for what an init left behind; the rest is for later turns.
constexpr int stray_passes_inline = 3;
constexpr auto stray_pause_min = 5ms;
constexpr auto stray_pause_max = 10s;
// A host on which so many runs hang in the kernel is of no use to another one.
constexpr std::size_t unkillable_runs_max = 64;
// Runs leave more behind than can be removed; more of them would only fill the disk.
constexpr std::size_t removals_pending_max = 256;
// Runs whose end was told and whose namespaces are still there: kernel memory that nobody counts.
constexpr std::ptrdiff_t runs_coming_down_max = 32;

}  // namespace

void LauncherLoop::serve() {
  removals_.sweep();
  while (!agent_gone_) turn();
}

int LauncherLoop::wait_milliseconds() const {
  constexpr std::chrono::seconds next_try(1);  // to start a process that was not to be had
  std::optional<Clock::time_point> first = networks_.deadline();
  for (const auto& run : runs_) {
    const auto look = run->next_look();
    if (look && (!first || *look < *first)) first = look;
  }
  if (!stranded_.empty() && (!first || stray_look_at_ < *first)) first = stray_look_at_;
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
  if (::poll(watched.data(), watched.size(), wait_milliseconds()) < 0) return;
  for (std::size_t i = 0; i < known; ++i) {
    LaunchedRun& run = *runs_[i];
    if (watched[2 + 2 * i].revents != 0) tell(run, run.on_barrier(state_));
    if (watched[3 + 2 * i].revents != 0) run.on_control();
    // While wrapper and namespaces come down there is time for it.
    if (run.tree_is_dead()) {
      const bool lost_uplink = networks_.end_uplink(run.number());
      removals_.remove(run.take_scratch_name());
      if (may_tell_early()) {
        if (const auto end = run.take_early_end(lost_uplink)) send(*end);
      }
      run.dismiss();
    }
  }
  networks_.work_off(std::span(watched).subspan(2 + 2 * known));
  const auto now = Clock::now();
  look_after_the_dying(now);
  networks_.fail_overdue(now);
  if (removals_.is_stuck()) removals_.work();
  if (watched[1].revents != 0) on_signals();
  if (watched[0].revents != 0) on_agent();
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
  if (!request || message.truncated) {
    agent_gone_ = true;
    return;
  }
  on_request(*request, std::move(message.descriptors));
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
    const auto problem = try_namespaces(request.identity);
    if (problem) return send({request.run_number, *problem});
    return send({request.run_number, RunEnded{true}});
  }
  LaunchedRun* const run = find(request.run_number);
  // Not there: it waits for its network, or ended while the request was on its way.
  if (run == nullptr) return networks_.cancel(request.run_number);
  if (request.kind == RequestKind::terminate) run->terminate();
  if (request.kind == RequestKind::kill) run->kill();
}

void LauncherLoop::start_run(std::uint64_t number, std::vector<UniqueFd> descriptors, Task task) {
  const std::size_t wanted = task == Task::given ? start_descriptors : prepare_descriptors;
  if (descriptors.size() != wanted || find(number) != nullptr || networks_.holds(number)) {
    return send({number, RunSetupFailed{SetupStep::decode_order, 0, 0, "wrong descriptors"}});
  }
  auto order = take_order(descriptors[0].get(), number);
  if (!order) {
    return send({number, RunSetupFailed{SetupStep::decode_order, 0, 0, order.error().message}});
  }
  if (const auto refusal = refusal_of(*order)) return send({number, *refusal});
  RunNetworks::Waiting run{*std::move(order), {}, task};
  if (task == Task::given) run.streams = {std::move(descriptors[1]), std::move(descriptors[2])};
  if (run.order.network) return networks_.begin(std::move(run));
  if (const auto problem = launch(std::move(run), {})) send({number, *problem});
}

/// A run that is not there any more was told to have ended; so will be one that cannot begin.
void LauncherLoop::begin_run(std::uint64_t number, std::vector<UniqueFd> descriptors) {
  LaunchedRun* const run = find(number);
  if (run == nullptr) return networks_.cancel(number);
  if (descriptors.size() != start_descriptors) {
    return run->fail({SetupStep::decode_order, 0, 0, "wrong descriptors"});
  }
  const auto order = take_order(descriptors[0].get(), number);
  if (!order) return run->fail({SetupStep::decode_order, 0, 0, order.error().message});
  if (run->lost_scratch(state_.scratch)) {
    return run->fail({SetupStep::scratch_directory, 0, 0, "the scratch directory is gone"});
  }
  if (networks_.lost_uplink(number)) {
    return run->fail({SetupStep::network_slirp4netns, 0, 0, "the way out is gone"});
  }
  run->begin(*order, {std::move(descriptors[1]), std::move(descriptors[2])});
}

std::optional<RunSetupFailed> LauncherLoop::launch(RunNetworks::Waiting run, Entrance entrance) {
  if (auto problem = obstacle(run.order)) return problem;
  auto started = LaunchedRun::start(run.order, std::move(run.streams), state_, entrance, run.task);
  if (auto* problem = std::get_if<RunSetupFailed>(&started)) return std::move(*problem);
  runs_.push_back(std::move(std::get<std::unique_ptr<LaunchedRun>>(started)));
  return std::nullopt;
}

void LauncherLoop::tell(LaunchedRun& run, const std::optional<LauncherRecord>& record) {
  if (!record) return;
  send(*record);
  if (std::holds_alternative<RunStarted>(record->event)) run.release();
}

RunNetworks::Events LauncherLoop::network_events() {
  RunNetworks::Events events;
  events.may_enter = [this](RunNetworks::Waiting waiting, const NetworkNamespace& entrance) {
    return launch(std::move(waiting),
                  {entrance.user_namespace.get(), entrance.network_namespace.get()});
  };
  events.ready = [this](std::uint64_t number, const NetworkFacts& made) {
    if (LaunchedRun* run = find(number)) tell(*run, run->on_network(made, state_));
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
  stray_look_at_ = Clock::now();
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

void LauncherLoop::end_all_runs() {
  networks_.cancel_all();
  removals_.stop_sweeping();
  for (const auto& run : runs_) run->kill();
  const auto deadline = Clock::now() + farewell_max;
  while (!is_quiet() && Clock::now() < deadline) turn();
  bare::kill_descendants(nullptr, 0, farewell_passes);
}

/// Nothing is left to wait for; what cannot be killed is not waited for.
bool LauncherLoop::is_quiet() const {
  return unkillable_runs() == runs_.size() + stranded_.size() && removals_.empty() &&
         networks_.empty();
}

std::size_t LauncherLoop::unkillable_runs() const {
  const auto among_living = std::count_if(runs_.begin(), runs_.end(),
                                          [](const auto& run) { return run->is_unkillable(); });
  const auto among_stranded =
      std::count_if(stranded_.begin(), stranded_.end(),
                    [](const Stranded& one) { return one.run->is_unkillable(); });
  return static_cast<std::size_t>(among_living + among_stranded);
}

/// Who starts runs faster than the kernel takes their namespaces down waits for it again.
bool LauncherLoop::may_tell_early() const {
  const auto coming_down = std::count_if(runs_.begin(), runs_.end(),
                                         [](const auto& run) { return run->is_coming_down(); });
  return coming_down < runs_coming_down_max;
}

/// Why nothing more may be started, or not as this user. The agent hands ids out; that none is two
/// runs' at once is seen to here, where the runs are.
std::optional<RunSetupFailed> LauncherLoop::obstacle(const LaunchOrder& order) const {
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
  if (!order.identity) return std::nullopt;
  const std::uint32_t uid = order.identity->uid;
  const auto has_it = [&](const LaunchedRun& run) {
    return run.identity() && run.identity()->uid == uid &&
           (order.identity_is_own || run.identity_is_own());
  };
  const bool taken =
      std::any_of(runs_.begin(), runs_.end(), [&](const auto& run) { return has_it(*run); }) ||
      std::any_of(stranded_.begin(), stranded_.end(),
                  [&](const Stranded& one) { return has_it(*one.run); });
  if (!taken) return std::nullopt;
  return RunSetupFailed{SetupStep::user_id, 0, 0,
                        "user id " + std::to_string(uid) +
                            " belongs to another run at this moment; let no policy name an id of "
                            "sandbox.uid_range"};
}

/// The agent plans so that this never happens; who took the agent over would not.
std::optional<RunRefused> LauncherLoop::refusal_of(const LaunchOrder& order) const {
  if (!state_.keeps_scripts_from_root) return std::nullopt;
  if (order.identity && order.identity->uid != 0 && order.identity->gid != 0) return std::nullopt;
  return RunRefused{
      "privilege: the script would be root on this host (uid 0 or gid 0), which its operator does "
      "not allow; let the policy say drop-to-uid with sandbox.uid set, or set "
      "operator.allow_root_scripts"};
}

void LauncherLoop::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    if (removals_.on_exit(pid, status) || networks_.on_exit(pid)) continue;
    const auto run = std::find_if(runs_.begin(), runs_.end(),
                                  [&](const auto& one) { return one->pid() == pid; });
    if (run != runs_.end()) finish(run);
  }
}

void LauncherLoop::finish(Runs::iterator position) {
  Stranded ended{std::move(*position), std::nullopt, Clock::now() + unkillable_after};
  runs_.erase(position);
  ended.record = ended.run->on_exit();
  if (!ended.run->may_have_strays() || kill_strays()) return complete(std::move(ended));
  stray_pause_ = stray_pause_min;
  stray_look_at_ = Clock::now() + stray_pause_;
  stranded_.push_back(std::move(ended));
}

/// The last record goes out only when nothing of the run is left.
void LauncherLoop::complete(Stranded ended) {
  removals_.remove(ended.run->take_scratch_name());
  if (ended.record) return tell_end(*ended.record);
  networks_.let_go(ended.run->number());
  if (ended.run->owes_gone()) send({ended.run->number(), RunGone{}});
}

void LauncherLoop::tell_end(const LauncherRecord& record) {
  if (!networks_.close(record)) send(record);
}

/// Kills again what should be dead, and gives up waiting for what cannot die: the agent is told,
/// and scratch directory, user and control group stay with the run until it is gone after all.
void LauncherLoop::look_after_the_dying(Clock::time_point now) {
  for (std::size_t i = 0; i < runs_.size(); ++i) {  // telling may start a run that waited
    runs_[i]->kill_if_overdue(now);
    if (const auto record = runs_[i]->give_up(now)) tell_end(*record);
  }
  if (!stranded_.empty() && now >= stray_look_at_) look_for_strays(now);
}

/// Whose strays are left cannot be told, so every run that may have some waits for all.
void LauncherLoop::look_for_strays(Clock::time_point now) {
  if (kill_strays()) {
    for (auto& ended : std::exchange(stranded_, {})) complete(std::move(ended));
    return;
  }
  stray_pause_ = std::min<Clock::duration>(2 * stray_pause_, stray_pause_max);
  stray_look_at_ = now + stray_pause_;
  for (std::size_t i = 0; i < stranded_.size(); ++i) {
    Stranded& ended = stranded_[i];
    if (!ended.record) continue;
    if (now < ended.give_up_at) {
      stray_look_at_ = std::min(stray_look_at_, ended.give_up_at);
      continue;
    }
    auto record = *std::exchange(ended.record, std::nullopt);
    ended.run->mark_unkillable(record, ::getpid());
    tell_end(record);
  }
}

/// Children that are neither a run nor ours came to us because their init was killed. Whether none
/// is left.
bool LauncherLoop::kill_strays() {
  std::vector<int> spared;
  for (const pid_t pid : removals_.processes()) spared.push_back(pid);
  for (const auto& run : runs_) spared.push_back(run->pid());
  for (const pid_t pid : networks_.processes()) spared.push_back(pid);
  return bare::kill_descendants(spared.data(), static_cast<int>(spared.size()),
                                stray_passes_inline);
}

}  // namespace satellite::sandbox
