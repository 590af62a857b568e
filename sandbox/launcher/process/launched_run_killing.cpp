// How a run is made to end, and what is said of one that does not.
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/bare/kill_descendants.hpp"
#include "sandbox/launcher/process/launched_run.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <cstddef>
#include <span>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;

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

}  // namespace

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

}  // namespace satellite::sandbox
