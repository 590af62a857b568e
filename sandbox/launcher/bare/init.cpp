// Pid 1 of a run. Same rules as script_child.cpp: no libc, no allocation, compiled into the agent
// and into the freestanding init program. It never guesses: the exact wait status of the script
// goes to the launcher, and only after everything that the script left behind is dead.
#include "sandbox/launcher/bare/init.hpp"

#include "sandbox/launcher/bare/clone_on_stack.hpp"
#include "sandbox/launcher/bare/hardening.hpp"
#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/bare/kill_descendants.hpp"
#include "sandbox/launcher/bare/native_setup.hpp"
#include "sandbox/launcher/bare/raw_syscall.hpp"
#include "sandbox/launcher/bare/script_child.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

#include <asm/errno.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/signalfd.h>
#include <linux/time_types.h>
#include <linux/wait.h>

namespace satellite::sandbox::bare {
namespace {

/// Turns the offsets of one array into pointers, in our private copy of the block.
bool relocate(InitBlock& block, std::uint32_t array) {
  auto* const base = reinterpret_cast<char*>(&block);
  if (array == 0 || array % sizeof(std::uint64_t) != 0) return false;
  for (std::uint64_t at = array; at + sizeof(std::uint64_t) <= block.size;
       at += sizeof(std::uint64_t)) {
    auto* const slot = reinterpret_cast<std::uint64_t*>(base + at);
    if (*slot == 0) return true;
    if (*slot >= block.size) return false;
    *slot = reinterpret_cast<std::uint64_t>(base + *slot);
  }
  return false;
}

constexpr std::uint64_t populated_size_max = 32U << 10U;

struct Supervision {
  long script = 0;
  bool kill_all_is_the_run = false;  ///< kill(-1) reaches exactly the other processes of the run
  bool script_ended = false;
  int wait_status = 0;
};

enum class Wait { none, for_one };
enum class Children { none_left, some_left };

/// Reaps every child that has ended; with Wait::for_one it blocks until the first one does.
Children reap(Supervision& run, Wait wait) {
  long options = wait == Wait::for_one ? 0 : WNOHANG;
  for (;;) {
    int status = 0;
    const long pid = call(__NR_wait4, -1, address(&status), options, 0);
    if (pid == -EINTR) continue;
    if (pid == -ECHILD) return Children::none_left;
    if (pid <= 0) return Children::some_left;
    options = WNOHANG;
    if (pid == run.script) {
      run.script_ended = true;
      run.wait_status = status;
    }
  }
}

/// Kills every descendant. In a pid namespace, or where no signal of ours reaches others, kill(-1)
/// reaches exactly those; else it would reach whoever has the script's user, so kill_descendants()
/// looks for them in /proc. Repeated until no child is left, because new ones may be forked
/// meanwhile.
void kill_tree(Supervision& run) {
  for (;;) {
    Children children = Children::some_left;
    if (run.kill_all_is_the_run) {
      call(__NR_kill, -1, SIGKILL);
      children = reap(run, Wait::for_one);
    } else {
      kill_descendants(nullptr, 0);
      children = reap(run, Wait::none);
    }
    if (children == Children::none_left) return;
  }
}

void take_command(Supervision& run) {
  InitCommand command{};
  const long got = call(__NR_read, init_fd_control, address(&command), sizeof(command));
  if (got == -EINTR) return;
  if (got != static_cast<long>(sizeof(command))) {
    kill_tree(run);
    call(__NR_exit_group, 1);
  }
  // The script leads its own session and group. Its pid cannot have been reused: we reap it.
  if (command == InitCommand::terminate && !run.script_ended) {
    call(__NR_kill, -run.script, SIGTERM);
  }
  if (command == InitCommand::kill) kill_tree(run);
}

std::uint64_t microseconds(const long (&time)[2]) {
  return static_cast<std::uint64_t>(time[0]) * 1'000'000U + static_cast<std::uint64_t>(time[1]);
}

/// Whether the report was sent.
bool report_end(const Supervision& run) {
  struct {
    long user[2], system[2], resident_max, rest[13];
  } usage{};
  call(__NR_getrusage, RUSAGE_CHILDREN, address(&usage));
  InitReport report;
  report.kind = InitReportKind::ended;
  report.wait_status = run.wait_status;
  report.user_microseconds = microseconds(usage.user);
  report.system_microseconds = microseconds(usage.system);
  report.resident_max_kibibytes = static_cast<std::uint64_t>(usage.resident_max);
  return call(__NR_write, init_fd_control, address(&report), sizeof(report)) > 0;
}

/// Returns on any command, and on the end of the socket, which is the launcher's death.
void wait_until_released() {
  InitCommand command{};
  while (call(__NR_read, init_fd_control, address(&command), sizeof(command)) == -EINTR) {
  }
}

void supervise(Supervision& run, int child_events) {
  struct {
    int fd;
    short events, seen;
  } watched[2] = {{child_events, POLLIN, 0}, {init_fd_control, POLLIN, 0}};
  while (!run.script_ended) {
    const long ready = call(__NR_ppoll, address(watched), 2, 0, 0, 0);
    if (ready < 0) continue;
    if (watched[0].seen != 0) {
      char event[128];  // one signalfd_siginfo; they coalesce, so reap() looks at all children
      call(__NR_read, child_events, address(event), sizeof(event));
      reap(run, Wait::none);
    }
    if (watched[1].seen != 0) take_command(run);
  }
}

/// The launcher takes the report of the end as the death of the whole tree, so the rest is killed
/// first.
void end_leftovers(Supervision& run) {
  if (reap(run, Wait::none) == Children::some_left) kill_tree(run);
}

/// An eventfd by which init tells the script's process that its own seccomp filter is installed. It
/// is moved above the agreed descriptors, where a number says what the descriptor is for.
long make_filtered_event(const Attempt& attempt, const InitBlock& block) {
  if (block.init_seccomp_program == 0) return -1;
  const long event = attempt.must(SetupStep::seccomp, 1, __NR_eventfd2, 0, O_CLOEXEC);
  const long moved =
      attempt.must(SetupStep::seccomp, 1, __NR_fcntl, event, F_DUPFD_CLOEXEC, init_fd_end);
  call(__NR_close, event);
  return moved;
}

/// From here on init can do what supervise() and its end take, and nothing else.
void confine_init(const Attempt& attempt, const InitBlock& block, long filtered) {
  const char* const program = reinterpret_cast<const char*>(&block) + block.init_seccomp_program;
  install_seccomp_filter(attempt, 1, program, block.init_seccomp_length);
  const std::uint64_t one = 1;
  attempt.must(SetupStep::seccomp, 1, __NR_write, filtered, address(&one), sizeof(one));
  call(__NR_close, filtered);
}

/// What the script's process begins with, until it executes the script.
alignas(16) char script_stack[64U << 10U];

struct ScriptStart {
  const InitBlock& block;
  InitSide init;
};

void begin_script(const void* passed) {
  const auto& start = *static_cast<const ScriptStart*>(passed);
  become_script(start.block, start.init);
}

/// A process that shares our memory until its exec: a copy of it, with the page faults that follow,
/// costs up to a tenth of a whole run. It gets one where we are a copy of the launcher, and where
/// it changes its user and we do not: that user must not reach our memory.
long start_script(const Attempt& attempt, const ScriptStart& start, bool is_own_program) {
  attempt.check_fault(SetupStep::fork_script, 0);
  const bool may_share = is_own_program && start.block.change_identity == 0;
  long pid = 0;
  if (may_share) {
    pid = clone_on_stack(__NR_clone, CLONE_VM | SIGCHLD,
                         address(script_stack + sizeof(script_stack)), begin_script, &start);
  } else {
    pid = call(__NR_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) begin_script(&start);
  }
  if (pid < 0) attempt.give_up(SetupStep::fork_script, 0, pid);
  return pid;
}

}  // namespace

InitBlock& map_block(int fd, int report_fd) {
  InitBlock head;
  const long got = call(__NR_pread64, fd, address(&head), sizeof(head), 0);
  if (got != static_cast<long>(sizeof(head)) || head.magic != init_block_magic ||
      head.version != init_block_version || head.size < sizeof(head)) {
    fail(report_fd, SetupStep::map_block, got < 0 ? got : 0);
  }
  // At once where it is small, since each of its pages is written to then (relocate).
  const long flags = MAP_PRIVATE | (head.size <= populated_size_max ? MAP_POPULATE : 0);
  const long mapped =
      call(__NR_mmap, 0, static_cast<long>(head.size), PROT_READ | PROT_WRITE, flags, fd, 0);
  if (mapped < 0 && mapped > -4096) fail(report_fd, SetupStep::map_block, mapped);
  return *reinterpret_cast<InitBlock*>(static_cast<unsigned long>(mapped));
}

void relocate_all(InitBlock& block, int report_fd) {
  if (!relocate(block, block.arguments) || !relocate(block, block.environment)) {
    fail(report_fd, SetupStep::map_block, 0, 1);
  }
}

void run_init(InitBlock* own) {
  set_signal_mask(true);
  call(__NR_prctl, PR_SET_NAME, address("csat-init"));
  InitBlock& block = own != nullptr ? *own : map_block(init_fd_block, init_fd_control);
  relocate_all(block, init_fd_control);
  const bool is_native = block.native.is_wanted != 0;
  if (!is_native) prefer_for_oom_kill();  // while we are dumpable, as after any exec
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (is_native) set_up_native(block);
  Supervision run;
  const bool own_pid_namespace = block.own_pid_namespace != 0;
  const bool sees_processes = block.sees_processes != 0;
  // Its set-up kept its signals below it (keep_signals_below), or has failed.
  const bool keeps_signals = is_native && sees_processes && block.native.init_uid == 0;
  run.kill_all_is_the_run = own_pid_namespace || keeps_signals;
  if (own_pid_namespace && call(__NR_getpid) != 1) {
    fail(init_fd_control, SetupStep::subreaper, 0, 1);
  }
  if (!own_pid_namespace) {
    const long subreaper = call(__NR_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (subreaper < 0) fail(init_fd_control, SetupStep::subreaper, subreaper);
  }
  const long own_pid = call(__NR_getpid);
  const Attempt attempt(block.fault, init_fd_control);
  // No wrapper does it. The native set-up did, with the privileges of that time.
  if (!is_native && own_pid_namespace) take_session_keyring(attempt);
  const long filtered = make_filtered_event(attempt, block);
  const ScriptStart start{block, {own_pid, filtered}};
  run.script = start_script(attempt, start, own == nullptr);
  call(__NR_close_range, init_fd_barrier, init_fd_end - 1, 0);
  // Only now: the script must inherit exactly the agreed descriptors, and a number among those just
  // closed is free to be this one's.
  const unsigned long child_mask = 1UL << (SIGCHLD - 1);
  const long child_events =
      call(__NR_signalfd4, -1, address(&child_mask), sizeof(child_mask), SFD_CLOEXEC);
  if (child_events < 0) fail(init_fd_control, SetupStep::signals, child_events);
  // What it is to end would outlive a death by a signal: the end of the socket tells it instead.
  if (sees_processes) call(__NR_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0);
  if (filtered >= 0) confine_init(attempt, block, filtered);
  supervise(run, static_cast<int>(child_events));
  end_leftovers(run);
  // Without the memory for a message (a run's files in memory outlive its processes) nobody would
  // release us; our own end is noticed.
  const bool is_reported = report_end(run);
  if (is_reported && block.stays_until_released != 0) wait_until_released();
  for (;;) call(__NR_exit_group, 0);
}

}  // namespace satellite::sandbox::bare
