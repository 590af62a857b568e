#include "sandbox/launcher/process/launched_run.hpp"

#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/bare/kill_descendants.hpp"
#include "sandbox/launcher/bare/script_child.hpp"
#include "sandbox/launcher/process/init_block_builder.hpp"
#include "sandbox/launcher/process/run_accounting.hpp"
#include "sandbox/launcher/process/spawn.hpp"
#include "sandbox/launcher/process/wrapper_command.hpp"
#include "sandbox/launcher/wire/order_codec.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// nsjail begins with what it thinks of its settings.
constexpr std::size_t wrapper_messages_size_max = 2'000;

// Init answers a kill within milliseconds; a process stuck in the kernel may take longer.
constexpr auto kill_overdue_after = 1s;
// A process that hangs in the kernel is asked again for as long as it is there, at no cost to
// others.
constexpr auto kill_pause_max = 60s;

/// Whoever has to end a run gets the processor as we do, whatever a script of its user managed to
/// do to it: the system call filter refuses that, and this does not rely on it. Only root may.
void schedule_like_us(pid_t pid) {
  sched_param parameters{};
  const int policy = ::sched_getscheduler(0);
  if (policy >= 0 && ::sched_getparam(0, &parameters) == 0) {
    ::sched_setscheduler(pid, policy, &parameters);
  }
  cpu_set_t processors;
  if (::sched_getaffinity(0, sizeof(processors), &processors) == 0) {
    ::sched_setaffinity(pid, sizeof(processors), &processors);
  }
  constexpr int who_process = 1;  // IOPRIO_WHO_PROCESS
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(pid), ::getpriority(PRIO_PROCESS, 0));
  ::syscall(SYS_ioprio_set, who_process, pid, ::syscall(SYS_ioprio_get, who_process, 0));
}

/// Nothing but a run's own processes, none of which has run yet, puts anything into its directory;
/// but a run of the same user that sees the host's files could.
bool is_untouched(const std::string& scratch_directory) {
  std::error_code problem;
  return scratch_directory.empty() ||
         (std::filesystem::is_empty(scratch_directory, problem) && !problem);
}

}  // namespace

std::uint32_t descriptors_of_script(const LaunchOrder& order) {
  return order.long_script ? 5 : 4;  // 0 1 2, the text, the barrier
}

/// What a child that borrows our memory walks until its exec; ours to keep until we know of that.
struct LaunchedRun::ChildMemory {
  static constexpr std::size_t stack_size = 16U << 10U;
  /// The whole set-up runs on a copy of this one; what is not touched costs nothing.
  static constexpr std::size_t passage_stack_size = 256U << 10U;

  std::byte* make_stack(std::size_t size) {
    stack = std::make_unique_for_overwrite<std::byte[]>(size);
    return stack.get() + size;
  }
  Spawned spawn(const LauncherState& state) {
    const int group = prepared.leaf ? prepared.leaf->descriptor() : -1;
    if (launch.native != nullptr && launch.join_user_namespace_fd >= 0) {
      return spawn_init_inside(launch, make_stack(passage_stack_size), group);
    }
    const bool borrows = !prepared.wrapper.empty() && state.may_share_memory;
    return spawn_init(launch, borrows ? make_stack(stack_size) : nullptr, group);
  }

  RunPreparation prepared;
  bare::InitLaunch launch;
  std::unique_ptr<std::byte[]> stack;
};

std::variant<std::unique_ptr<LaunchedRun>, RunSetupFailed> LaunchedRun::start(
    const LaunchOrder& order, RunStreams streams, const LauncherState& state, Entrance entrance,
    Task task) {
  auto prepared = prepare_run(order, std::move(streams), state, task);
  if (auto* problem = std::get_if<RunSetupFailed>(&prepared)) return *std::move(problem);
  auto child = std::make_unique<ChildMemory>();
  child->prepared = std::get<RunPreparation>(std::move(prepared));
  RunPreparation& made = child->prepared;
  child->launch = made.launch(state);
  child->launch.join_user_namespace_fd = entrance.user_namespace_fd;
  child->launch.join_network_namespace_fd = entrance.network_namespace_fd;
  // Before its child reads them: what changes meanwhile must not count as what the run shows.
  HostTexts host_texts;
  if (task == Task::awaited && order.native) host_texts = host_texts_of(*order.native);
  Spawned forked = child->spawn(state);
  if (forked.pid < 0) {
    const int reason = errno;
    if (!made.scratch_name.empty()) {
      static_cast<void>(state.scratch.remove_at_once(made.scratch_name));
    }
    return RunSetupFailed{SetupStep::fork, 0, reason, {}};
  }
  made.close_childs_ends();
  auto run = std::unique_ptr<LaunchedRun>(new LaunchedRun);
  run->number_ = order.run_number;
  run->pid_ = forked.pid;
  run->pidfd_ = std::move(forked.pidfd);
  run->wrapped_ = !made.wrapper.empty();
  run->confined_ = is_confined(order);
  run->native_ = order.engine == Engine::native;
  run->ends_with_init_ = order.engine == Engine::nsjail;
  run->identity_ = order.identity;
  run->identity_is_own_ = order.identity_is_own;
  run->control_ = std::move(made.control.first);
  run->barrier_ = std::move(made.barrier.first);
  run->wrapper_messages_ = std::move(made.wrapper_messages);
  run->scratch_name_ = std::move(made.scratch_name);
  run->scratch_directory_ = order.scratch_directory;
  run->expected_descriptors_ = descriptors_of_script(order);
  if (task == Task::awaited) {
    run->frame_ = encode_frame(order);
    run->host_texts_ = std::move(host_texts);
    run->change_identity_ = made.change_identity;
    run->expected_descriptors_ = 4;  // 0 1 2, the barrier
  }
  run->expectation_ = order.expectation;
  if (state.keeps_scripts_from_root) {
    // Measured whether the order asks for it or not.
    run->expectation_.not_host_root = true;
    if (!run->expectation_.identity) run->expectation_.identity = order.identity;
  }
  run->awaits_network_ = order.network.has_value();
  run->leaf_ = std::move(made.leaf);
  run->child_memory_ = std::move(child);
  return run;
}

LaunchedRun::LaunchedRun() = default;
LaunchedRun::~LaunchedRun() = default;

namespace {

struct Incoming {
  bool closed = false;
  std::optional<InitReport> report;
  std::optional<pid_t> sender;
};

Incoming receive(int socket) {
  InitReport report;
  const auto message =
      kernel::receive_message(socket, std::as_writable_bytes(std::span(&report, 1)));
  if (!message) return {true, std::nullopt, std::nullopt};
  if (!*message) return {};
  const auto& got = **message;
  if (got.size != sizeof(report) || got.truncated) return {true, std::nullopt, std::nullopt};
  return {false, report, got.sender};
}

}  // namespace

void LaunchedRun::take_failure(const InitReport& report) {
  if (failure_) return;
  failure_ = RunSetupFailed{report.step, report.index, report.error_number, {}};
  // A number outside the enum can only be a foreign program on our socket.
  if (report.step > SetupStep::last) failure_->step = SetupStep::wrapper;
}

void LaunchedRun::refuse(std::string missing) {
  refusal_ = std::move(missing);
  kill();
}

std::optional<LauncherRecord> LaunchedRun::on_barrier(const LauncherState& state) {
  const Incoming incoming = receive(barrier_.get());
  if (incoming.closed) return barrier_.reset(), std::nullopt;
  if (!incoming.report) return std::nullopt;
  if (incoming.report->kind == InitReportKind::failed) {
    return take_failure(*incoming.report), std::nullopt;
  }
  if (is_ending()) return std::nullopt;
  const bool prepares = !frame_.empty() && stage_ == Stage::setting_up;
  const auto expected = prepares ? InitReportKind::ready : InitReportKind::armed;
  const bool in_turn = stage_ == Stage::setting_up || stage_ == Stage::beginning;
  if (incoming.report->kind != expected || !in_turn || !incoming.sender ||
      (script_ && script_ != incoming.sender)) {
    return refuse("the script's process broke the protocol of the barrier"), std::nullopt;
  }
  child_memory_.reset();  // it speaks from behind its last exec but one
  script_ = incoming.sender;
  landlock_abi_ = static_cast<std::uint32_t>(incoming.report->index);
  if (awaits_network_ && !network_) return std::nullopt;
  return verify(state);
}

std::optional<LauncherRecord> LaunchedRun::on_network(const NetworkFacts& made,
                                                      const LauncherState& state) {
  network_ = made;
  if (is_ending() || !script_ || stage_ != Stage::setting_up) return std::nullopt;
  return verify(state);
}

void LaunchedRun::fail(const RunSetupFailed& failure) {
  if (!failure_) failure_ = failure;
  kill();
}

/// A prepared run is measured when it is ready, and of that again when it has its task, what the
/// task can have changed.
std::optional<LauncherRecord> LaunchedRun::verify(const LauncherState& state) {
  const MeasureRequest request{*script_,
                               native_ ? pid_ : 0,
                               scratch_directory_,
                               expected_descriptors_,
                               network_,
                               leaf_ ? &*leaf_ : nullptr,
                               wrapped_};
  auto posture =
      posture_ ? measure_again(request, *posture_) : measure(request, state.surroundings);
  if (!posture) return refuse("cannot verify: " + posture.error().message), std::nullopt;
  posture->landlock_abi = landlock_abi_;
  auto missing = missing_of(expectation_, *posture);
  if (confined_ && !posture->no_new_privileges) {
    missing.push_back("privilege: no_new_privs is not set");
  }
  if (!missing.empty()) {
    std::string text;
    for (const auto& one : missing) text += (text.empty() ? "" : "; ") + one;
    return refuse(std::move(text)), std::nullopt;
  }
  if (!frame_.empty() && !posture_) {
    posture_ = *std::move(posture);
    stage_ = Stage::waiting;
    send_go();  // it was measured
    return LauncherRecord{number_, RunPrepared{}};
  }
  stage_ = Stage::verified;
  return LauncherRecord{number_, RunStarted{*std::move(posture)}};
}

void LaunchedRun::begin(const LaunchOrder& order, const RunStreams& streams) {
  // What comes too late, or for another run, ends it: it must not wait for a task that it was
  // already given, nor run one in a sandbox that is not the one asked for.
  if (stage_ != Stage::waiting || !barrier_) {
    return fail({SetupStep::receive_task, 0, 0, "the run does not wait for a task"});
  }
  if (encode_frame(order) != frame_) {
    return fail({SetupStep::receive_task, 0, 0, "the run was prepared for another sandbox"});
  }
  if (order.native && host_texts_of(*order.native) != host_texts_) {
    return fail({SetupStep::receive_task, 0, 0, "the host's files changed since"});
  }
  if (!is_untouched(scratch_directory_)) {
    return fail({SetupStep::receive_task, 0, 0, "somebody put files into its scratch directory"});
  }
  if (change_identity_) give_streams(streams, *identity_);
  if (auto problem = send_task(barrier_.get(), order, streams)) return fail(*problem);
  expected_descriptors_ = descriptors_of_script(order);
  stage_ = Stage::beginning;
}

void LaunchedRun::release() {
  if (is_ending() || stage_ != Stage::verified || !barrier_) return;
  send_go();
  stage_ = Stage::released;
}

void LaunchedRun::send_go() const {
  const std::byte go{1};
  static_cast<void>(kernel::send_message(barrier_.get(), std::span(&go, 1)));
}

void LaunchedRun::on_control() {
  const Incoming incoming = receive(control_.get());
  if (incoming.closed) return control_.reset();
  if (!incoming.report) return;
  if (incoming.report->kind == InitReportKind::failed) take_failure(*incoming.report);
  if (incoming.report->kind == InitReportKind::ended) {
    ended_ = *incoming.report;
    end_wrapper();
  }
}

/// nsjail may miss the end of its child and then looks after a second; until then it holds the
/// script's pipes open. Everything below it is dead, and it has nothing to put in order.
void LaunchedRun::end_wrapper() const {
  if (!ends_with_init_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

std::optional<LauncherRecord> LaunchedRun::take_early_end(bool lost_uplink) {
  const bool over = ended_ && stage_ == Stage::released;
  if (!native_ || told_end_ || !over) return std::nullopt;
  auto record = on_exit();
  if (auto* end = record ? std::get_if<RunEnded>(&record->event) : nullptr) {
    end->lost_uplink = lost_uplink;
  }
  if (record && identity_is_own_) record->remains = Remains::identity;  // init still has that user
  told_end_ = true;
  return record;
}

void LaunchedRun::dismiss() {
  if (!native_ || std::exchange(dismissed_, true)) return;
  kill();  // it leaves by itself; from now on within a bound
}

void LaunchedRun::send_command(InitCommand command) {
  if (!control_) return;
  static_cast<void>(kernel::send_message(control_.get(), std::as_bytes(std::span(&command, 1))));
}

void LaunchedRun::terminate() {
  if (stage_ < Stage::verified) return kill();
  send_command(InitCommand::terminate);
}

void LaunchedRun::kill() {
  if (!overdue_at_) {
    overdue_pause_ = kill_overdue_after;
    overdue_at_ = Clock::now() + overdue_pause_;
    give_up_at_ = Clock::now() + unkillable_after;
    schedule_like_us(pid_);
  }
  // Waiting at the barrier, the script takes the closed socket for a no. Whatever it says there
  // from now on is said by a run that must not start any more.
  if (stage_ < Stage::verified) barrier_.reset();
  // The whole group at once, init and wrapper with it, however fast the rest multiplies.
  if (leaf_ && leaf_->kill()) return;
  // During setup nobody may be listening yet, and there is nothing whose end we would have to tell.
  if (stage_ < Stage::verified) {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    return;
  }
  send_command(InitCommand::kill);
}

std::optional<LaunchedRun::Clock::time_point> LaunchedRun::next_look() const {
  if (!overdue_at_) return std::nullopt;
  return is_unkillable_ ? *overdue_at_ : std::min(*overdue_at_, *give_up_at_);
}

std::optional<LauncherRecord> LaunchedRun::give_up(Clock::time_point now) {
  if (is_unkillable_ || !give_up_at_ || now < *give_up_at_) return std::nullopt;
  auto record = on_exit();
  if (record) {
    mark_unkillable(*record, pid_);
  } else {
    is_unkillable_ = true;  // an init without children, whose end was told
  }
  return record;
}

void LaunchedRun::mark_unkillable(LauncherRecord& record, pid_t root) {
  record.remains = bare::any_hangs_below(root) ? Remains::unkillable : Remains::overdue;
  told_end_ = is_unkillable_ = true;
}

void LaunchedRun::kill_if_overdue(Clock::time_point now) {
  if (!overdue_at_ || now < *overdue_at_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  if (leaf_) leaf_->kill();
  overdue_pause_ = std::min<Clock::duration>(2 * overdue_pause_, kill_pause_max);
  overdue_at_ = now + overdue_pause_;
}

std::optional<LauncherRecord> LaunchedRun::on_exit() {
  if (told_end_) return std::nullopt;
  // What was said before the end may still lie in the sockets; both ends are closed over there.
  for (const UniqueFd* socket : {&barrier_, &control_}) {
    for (bool more = bool{*socket}; more;) {
      const Incoming incoming = receive(socket->get());
      more = incoming.report.has_value();
      if (!more) break;
      if (incoming.report->kind == InitReportKind::failed) take_failure(*incoming.report);
      if (incoming.report->kind == InitReportKind::ended) ended_ = *incoming.report;
    }
  }
  LauncherRecord record{number_, RunEnded{}};
  if (refusal_) {
    record.event = RunRefused{*refusal_};
  } else if (failure_) {
    record.event = *failure_;
  } else if (stage_ < Stage::verified) {
    RunSetupFailed silent{wrapped_ ? SetupStep::wrapper : SetupStep::fork_script, 0, 0, {}};
    if (wrapper_messages_) {
      silent.text = told_by_wrapper(
          kernel::read_beginning(wrapper_messages_.get(), wrapper_messages_size_max));
    }
    record.event = std::move(silent);
  } else if (ended_) {
    record.event = RunEnded{true, ended_->wait_status, ended_->user_microseconds,
                            ended_->system_microseconds, ended_->resident_max_kibibytes};
  }
  if (leaf_) tell_usage(*leaf_, expectation_.cgroup, record);
  return record;
}

bool LaunchedRun::may_have_strays() const {
  return !ended_ && !(leaf_ && leaf_->is_emptied());
}

}  // namespace satellite::sandbox
