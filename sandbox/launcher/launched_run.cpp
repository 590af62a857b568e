#include "sandbox/launcher/launched_run.hpp"

#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/child.hpp"
#include "sandbox/launcher/init_block_builder.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

// Init answers a kill within milliseconds; a process stuck in the kernel may take longer.
constexpr auto kill_overdue_after = 1s;
constexpr std::size_t wrapper_text_size_max = 400;

struct Forked {
  pid_t pid = -1;
  UniqueFd pidfd;
};

int become_init(void* launch) {
  bare::become_init(*static_cast<const bare::InitLaunch*>(launch));
}

/// A child that goes on as a copy of this process, or, when a wrapper follows, only until its exec.
///
/// The second kind borrows our memory instead of copying it, as posix_spawn does: what a fork costs
/// is page tables and the faults after it, and that is most of what a launch costs. It has a stack
/// of its own, we stand still until its exec, and child.cpp writes to nothing that is ours.
Forked fork_init(const bare::InitLaunch& launch) {
  // The agent's copy of glibc knows nothing of this child, and need not: it calls only child.cpp.
  int pidfd = -1;
  if (launch.wrapper_path == nullptr) {
    const long pid = ::syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, 0, 0);
    if (pid == 0) bare::become_init(launch);
    return {static_cast<pid_t>(pid), UniqueFd(pidfd)};
  }
  alignas(16) static std::array<std::byte, 64 * 1024> stack;
  const int pid = ::clone(become_init, stack.data() + stack.size(),
                          CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                          const_cast<bare::InitLaunch*>(&launch), &pidfd);
  return {pid, UniqueFd(pidfd)};
}

}  // namespace

std::variant<std::unique_ptr<LaunchedRun>, RunSetupFailed> LaunchedRun::start(
    const LaunchOrder& order, RunStreams streams, const LauncherState& state) {
  auto prepared = prepare_run(order, std::move(streams), state);
  if (auto* problem = std::get_if<RunSetupFailed>(&prepared)) return *std::move(problem);
  auto& made = std::get<RunPreparation>(prepared);
  Forked forked = fork_init(made.launch(state));
  if (forked.pid < 0) {
    const int reason = errno;
    if (!made.scratch_name.empty()) {
      static_cast<void>(state.scratch.remove_directory(made.scratch_name, 1));
    }
    return RunSetupFailed{SetupStep::fork, 0, reason, "cannot fork"};
  }
  auto run = std::unique_ptr<LaunchedRun>(new LaunchedRun);
  run->number_ = order.run_number;
  run->pid_ = forked.pid;
  run->pidfd_ = std::move(forked.pidfd);
  run->wrapped_ = !made.wrapper.empty();
  run->confined_ = is_confined(order);
  run->control_ = std::move(made.control.first);
  run->barrier_ = std::move(made.barrier.first);
  run->wrapper_messages_ = std::move(made.wrapper_messages);
  run->scratch_name_ = std::move(made.scratch_name);
  run->scratch_directory_ = order.scratch_directory;
  run->expected_descriptors_ = order.long_script ? 5 : 4;  // 0 1 2, the text, the barrier
  run->expectation_ = order.expectation;
  return run;
}

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
  // Waiting at the barrier, the script takes the closed socket for a no and ends.
  barrier_.reset();
  kill();
}

std::optional<RunStarted> LaunchedRun::on_barrier(const LauncherState& state) {
  const Incoming incoming = receive(barrier_.get());
  if (incoming.closed) return barrier_.reset(), std::nullopt;
  if (!incoming.report) return std::nullopt;
  if (incoming.report->kind == InitReportKind::failed) {
    return take_failure(*incoming.report), std::nullopt;
  }
  if (incoming.report->kind != InitReportKind::armed || stage_ != Stage::setting_up ||
      !incoming.sender) {
    return refuse("the script's process broke the protocol of the barrier"), std::nullopt;
  }
  const MeasureRequest request{*incoming.sender, scratch_directory_, expected_descriptors_};
  const auto posture = measure(request, state.surroundings);
  if (!posture) return refuse("cannot verify: " + posture.error().message), std::nullopt;
  auto missing = missing_of(expectation_, *posture);
  if (confined_ && !posture->no_new_privileges) {
    missing.push_back("privilege: no_new_privs is not set");
  }
  if (!missing.empty()) {
    std::string text;
    for (const auto& one : missing) text += (text.empty() ? "" : "; ") + one;
    return refuse(std::move(text)), std::nullopt;
  }
  stage_ = Stage::verified;
  return RunStarted{*posture};
}

void LaunchedRun::release() {
  if (stage_ != Stage::verified || !barrier_) return;
  const std::byte go{1};
  static_cast<void>(kernel::send_message(barrier_.get(), std::span(&go, 1)));
  stage_ = Stage::released;
}

void LaunchedRun::on_control() {
  const Incoming incoming = receive(control_.get());
  if (incoming.closed) return control_.reset();
  if (!incoming.report) return;
  if (incoming.report->kind == InitReportKind::failed) take_failure(*incoming.report);
  if (incoming.report->kind == InitReportKind::ended) ended_ = *incoming.report;
}

LauncherRecord LaunchedRun::on_exit() {
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
  } else if (stage_ == Stage::setting_up) {
    RunSetupFailed silent{wrapped_ ? SetupStep::wrapper : SetupStep::fork_script, 0, 0, {}};
    if (wrapper_messages_) {
      silent.text = kernel::read_beginning(wrapper_messages_.get(), wrapper_text_size_max);
    }
    record.event = std::move(silent);
  } else if (ended_) {
    record.event = RunEnded{true, ended_->wait_status, ended_->user_microseconds,
                            ended_->system_microseconds, ended_->resident_max_kibibytes};
  }
  return record;
}

void LaunchedRun::send_command(InitCommand command) {
  if (!control_) return;
  static_cast<void>(kernel::send_message(control_.get(), std::as_bytes(std::span(&command, 1))));
}

void LaunchedRun::terminate() {
  if (stage_ == Stage::setting_up) return kill();
  send_command(InitCommand::terminate);
}

void LaunchedRun::kill() {
  if (!overdue_at_) overdue_at_ = std::chrono::steady_clock::now() + kill_overdue_after;
  // During setup nobody may be listening yet, and there is nothing whose end we would have to tell.
  if (stage_ == Stage::setting_up) {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    return;
  }
  send_command(InitCommand::kill);
}

void LaunchedRun::kill_if_overdue(std::chrono::steady_clock::time_point now) {
  if (!overdue_at_ || now < *overdue_at_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  overdue_at_ = now + kill_overdue_after;
}

}  // namespace satellite::sandbox
