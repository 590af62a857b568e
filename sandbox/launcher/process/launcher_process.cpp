#include "sandbox/launcher/process/launcher_process.hpp"

#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/process/detach_from_agent.hpp"
#include "sandbox/launcher/process/init_image.hpp"
#include "sandbox/launcher/process/launcher_loop.hpp"
#include "sandbox/launcher/process/namespace_probe.hpp"
#include "sandbox/launcher/wire/order_codec.hpp"
#include "sandbox/planning/seccomp_filter.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <algorithm>
#include <span>

namespace satellite::sandbox {

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

int run_launcher(UniqueFd agent, kernel::ScratchArea& scratch, pid_t agent_pid,
                 std::optional<MacvlanSettings> macvlan, RootScripts root_scripts,
                 std::uint64_t script_open_files) {
  UniqueFd signals = take_signals();
  separate_from_agent(agent_pid);
  separate_mounts();
  std::vector<int> kept{agent.get(), signals.get()};
  for (const int fd : scratch.descriptors()) kept.push_back(fd);
  keep_descriptors(std::move(kept));
  auto surroundings = read_own_surroundings();
  auto program = kernel::make_memory_file("csat-init", init_image(), kernel::Executable::yes);
  UniqueFd null_device(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!signals || !surroundings || !null_device) return 1;
  LauncherState state{scratch,
                      *surroundings,
                      std::move(program),
                      std::move(null_device),
                      ::geteuid() == 0,
                      cannot_debug_dropped_processes(),
                      landlock_abi(),
                      script_seccomp_filter(),
                      init_seccomp_filter(),
                      script_open_files,
                      ::geteuid() == 0 && root_scripts == RootScripts::refused};
  NetworkMeans means{state.is_root, std::move(macvlan)};
  LauncherLoop loop(std::move(agent), std::move(signals), std::move(state), std::move(means));
  loop.serve();
  loop.end_all_runs();
  scratch.remove();
  return 0;
}

}  // namespace satellite::sandbox
