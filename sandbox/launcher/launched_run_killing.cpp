// How a run is made to end, and what is said of one that does not.
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/launched_run.hpp"

#include <signal.h>
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
    mark_unkillable(*record);
  } else {
    is_unkillable_ = true;  // an init without children, whose end was told
  }
  return record;
}

void LaunchedRun::mark_unkillable(LauncherRecord& record) {
  record.remains = Remains::unkillable;
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
