// How a run ends: what is sent and killed for it, and what its last record says.
#include "sandbox/launcher/process/launched_run.hpp"

#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/bare/kill_descendants.hpp"
#include "sandbox/launcher/process/run_accounting.hpp"
#include "sandbox/launcher/process/wrapper_command.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cstddef>
#include <span>
#include <utility>

namespace satellite::sandbox {
namespace {

// The reason stands at the end; nsjail lists its settings before it.
constexpr std::size_t wrapper_messages_size_max = 2'000;

/// Gives the process that has to end a run the launcher's own scheduling and I/O priority, in case
/// a script of the same user lowered it. The seccomp filter refuses such calls; this is the second
/// guard. Works for root alone.
void schedule_like_launcher(pid_t pid) {
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

}  // namespace

std::optional<LauncherRecord> LaunchedRun::take_early_end(bool lost_uplink) {
  const bool over = ended_ && stage_ == Stage::released;
  if (!is_native() || end_reported_ || !over) return std::nullopt;
  auto record = on_exit();
  if (auto* end = record ? std::get_if<RunEnded>(&record->event) : nullptr) {
    end->lost_uplink = lost_uplink;
  }
  // Init still has that user.
  if (record && facts_.identity_is_own) record->remains = Remains::identity;
  end_reported_ = true;
  return record;
}

/// It may miss the end of its child and looks again after a second; until then it holds the
/// script's pipes open. Everything below it is dead, and it has nothing to clean up.
void LaunchedRun::end_nsjail() const {
  if (facts_.engine == Engine::nsjail) kill_first_process();
}

void LaunchedRun::release_init() {
  if (!init_waits() || std::exchange(init_released_, true)) return;
  kill();  // init exits on any command; from now on it has a bounded time to do so
  end_nsjail();
}

void LaunchedRun::send_command(InitCommand command) {
  if (!control_) return;
  static_cast<void>(kernel::send_message(control_.get(), std::as_bytes(std::span(&command, 1))));
}

void LaunchedRun::kill_first_process() const {
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

/// A script that has ended is not there to be told, and what it left is copied within seconds.
void LaunchedRun::terminate() {
  if (ended_) return;
  if (!is_set_up()) return kill();
  was_told_ = true;
  send_command(InitCommand::terminate);
}

void LaunchedRun::kill() {
  if (state_.is_being_packed()) return;
  was_told_ = was_told_ || !ended_;
  if (!killing_.has_begun()) schedule_like_launcher(facts_.pid);
  killing_.begin(Clock::now());
  // A script's process at the barrier takes the closed socket for a no. What it reports there from
  // now on must not start it any more.
  if (!is_set_up()) barrier_.close();
  // The kernel kills the whole control group at once, init and wrapper included, however fast the
  // rest forks.
  if (leaf_ && leaf_->kill()) return;
  // During the set-up init may not listen yet, and no wait status is lost with it.
  if (!is_set_up()) return kill_first_process();
  send_command(InitCommand::kill);
}

std::optional<LauncherRecord> LaunchedRun::give_up(Clock::time_point now) {
  if (!killing_.take_give_up(now)) return std::nullopt;
  auto record = on_exit();
  // Without a record it is an init without children, whose end was reported.
  if (record) mark_unkillable(*record, facts_.pid);
  return record;
}

void LaunchedRun::mark_unkillable(LauncherRecord& record, pid_t root) {
  record.remains = bare::any_hangs_below(root) ? Remains::unkillable : Remains::overdue;
  end_reported_ = true;
  killing_.give_up();
}

void LaunchedRun::kill_if_overdue(Clock::time_point now) {
  if (!ended_ && !is_ending() && memory_watch_.take_exceeded(now, facts_.pid)) kill();
  if (!killing_.take_overdue(now)) return;
  kill_first_process();
  if (leaf_) leaf_->kill();
}

/// Reports that were sent before the end may still lie in the sockets, whose other ends are closed.
void LaunchedRun::take_last_reports() {
  for (const int socket : {barrier_.fd(), control_.get()}) {
    if (socket < 0) continue;
    for (;;) {
      const Incoming incoming = receive_report(socket);
      if (!incoming.report) break;
      if (incoming.report->kind == InitReportKind::failed) take_failure(*incoming.report);
      if (incoming.report->kind == InitReportKind::ended) ended_ = *incoming.report;
    }
  }
}

/// The set-up ended without a report: what the wrapper wrote to its standard error has to explain
/// it.
RunSetupFailed LaunchedRun::failure_without_report() const {
  RunSetupFailed failure{facts_.wrapped ? SetupStep::wrapper : SetupStep::fork_script, 0, 0, {}};
  if (wrapper_messages_) {
    failure.text = reason_of_wrapper(
        kernel::read_beginning(wrapper_messages_.get(), wrapper_messages_size_max));
  }
  return failure;
}

std::optional<LauncherRecord> LaunchedRun::on_exit() {
  if (end_reported_) return std::nullopt;
  take_last_reports();
  LauncherRecord record{number(), RunEnded{}};
  if (refusal_) {
    record.event = RunRefused{*refusal_};
  } else if (failure_) {
    record.event = *failure_;
  } else if (!is_set_up()) {
    record.event = failure_without_report();
  } else if (ended_) {
    RunEnded end{true, ended_->wait_status, ended_->user_microseconds, ended_->system_microseconds,
                 ended_->resident_max_kibibytes};
    end.ended_by_itself = !was_told_;
    record.event = std::move(end);
  }
  if (leaf_) add_usage(*leaf_, facts_.expectation.cgroup, record);
  auto* const end = std::get_if<RunEnded>(&record.event);
  if (end != nullptr) state_.write_to(*end);
  if (end != nullptr && memory_watch_.exceeded() > 0) {
    end->memory_limit_hit = memory_watch_.exceeded();
    end->memory_was_watched = true;
  }
  return record;
}

bool LaunchedRun::may_have_orphans() const {
  return !ended_ && !(leaf_ && leaf_->is_emptied());
}

}  // namespace satellite::sandbox
