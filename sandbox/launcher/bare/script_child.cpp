// The only code between the launcher's fork and the script's execve: it allocates nothing, takes no
// lock, throws nothing, logs nothing and calls no libc. It walks prepared values and on failure
// says {step, index, errno} on a socket. Compiled twice: into the agent, and freestanding into the
// init program that a wrapper executes.
#include "sandbox/launcher/bare/script_child.hpp"

#include "sandbox/launcher/bare/carrier.hpp"
#include "sandbox/launcher/bare/hardening.hpp"
#include "sandbox/launcher/bare/raw_syscall.hpp"
#include "sandbox/launcher/bare/receive_task.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>

namespace satellite::sandbox::bare {
namespace {

/// Soft and hard become `value`, but a hard limit that is lower already stays: never loosen.
void set_limit(const Attempt& attempt, const InitLimit& limit, int index) {
  struct {
    std::uint64_t soft, hard;
  } old{}, wanted{limit.value, limit.value};
  const long resource = static_cast<long>(limit.resource);
  bool old_is_known = false;
  // Nobody had a lower one, mostly, so that one call does it.
  if (limit.soft_alone == 0) {
    const long set = attempt.may(SetupStep::limit, index, __NR_prlimit64, 0, resource,
                                 address(&wanted), address(&old));
    if (set < 0 && set != -EPERM) attempt.give_up(SetupStep::limit, index, set);
    old_is_known = set == 0;
    if (old_is_known && old.hard >= limit.value) return;
  }
  if (!old_is_known) {
    attempt.must(SetupStep::limit, index, __NR_prlimit64, 0, resource, 0, address(&old));
  }
  if (old.hard < limit.value) wanted.soft = wanted.hard = old.hard;
  if (limit.soft_alone != 0) wanted.hard = old.hard;
  attempt.must(SetupStep::limit, index, __NR_prlimit64, 0, resource, address(&wanted), 0);
}

const char* text_at(const InitBlock& block, std::uint32_t offset) {
  return reinterpret_cast<const char*>(&block) + offset;
}

/// Writes `directory`/`name` into `path`; false when it does not fit.
bool join_path(char (&path)[PATH_MAX], const char* directory, long length, const char* name) {
  long at = 0;
  for (; at < length; ++at) {
    if (at >= PATH_MAX - 2) return false;
    path[at] = directory[at];
  }
  if (length > 0) path[at++] = '/';  // an empty element means the working directory
  for (; *name != '\0'; ++name) {
    if (at >= PATH_MAX - 1) return false;
    path[at++] = *name;
  }
  path[at] = '\0';
  return true;
}

/// As execvp looks: a name with a slash as it is, others along the search path. Found before the
/// barrier, so that a missing interpreter is a failed setup and not a script that started.
void find_command(char (&path)[PATH_MAX], const char* name, const char* search_path) {
  for (const char* c = name; *c != '\0'; ++c) {
    if (*c != '/') continue;
    if (!join_path(path, "", 0, name)) break;
    const long usable = call(__NR_faccessat, AT_FDCWD, address(path), 1);
    if (usable < 0) fail(script_fd_barrier, SetupStep::find_command, usable);
    return;
  }
  long result = -ENOENT;
  for (const char* start = search_path;; ++start) {
    const char* end = start;
    while (*end != '\0' && *end != ':') ++end;
    if (*name != '\0' && join_path(path, start, end - start, name)) {
      const long usable = call(__NR_faccessat, AT_FDCWD, address(path), 1);
      if (usable == 0) return;
      if (usable == -EACCES) result = usable;
      if (usable != -ENOENT && usable != -ENOTDIR && usable != -EACCES) {
        result = usable;
        break;
      }
    }
    if (*end == '\0') break;
    start = end;
  }
  fail(script_fd_barrier, SetupStep::find_command, result);
}

/// Puts a descriptor that this run may not have at its number, or nothing.
void take_optional(int from, int to) {
  if (call(__NR_dup3, from, to, 0) < 0) call(__NR_close, to);
}

/// Leaves 0, 1, 2, the script's text and a module's answer if it has them, and the barrier, which
/// closes at exec. A prepared run has nothing behind the first three yet.
void take_streams(const InitBlock& block, long filtered_fd) {
  const Fault& fault = block.fault;
  const Attempt attempt(fault, init_fd_barrier);
  const int sources[3] = {init_fd_standard_input, init_fd_standard_output, init_fd_standard_error};
  for (int i = 0; i < 3 && block.waits_for_task == 0; ++i) {
    attempt.must(SetupStep::standard_streams, i, __NR_dup3, sources[i], i, 0);
  }
  take_optional(init_fd_long_script, script_fd_long_script);
  take_optional(init_fd_answer, script_fd_answer);
  static_assert(static_cast<int>(init_fd_barrier) == static_cast<int>(script_fd_barrier));
  const Attempt after(fault, script_fd_barrier);
  after.must(SetupStep::standard_streams, script_fd_barrier, __NR_fcntl, script_fd_barrier, F_SETFD,
             FD_CLOEXEC);
  long last = script_fd_barrier;
  if (filtered_fd >= 0) {
    last = after.must(SetupStep::descriptors, 1, __NR_dup3, filtered_fd, script_fd_filtered,
                      O_CLOEXEC);
  }
  if (block.sees_processes != 0) {
    for (long unused = last + 1; unused < script_fd_proc; ++unused) call(__NR_close, unused);
    last =
        after.must(SetupStep::descriptors, 2, __NR_dup3, init_fd_proc, script_fd_proc, O_CLOEXEC);
  }
  after.must(SetupStep::descriptors, 0, __NR_close_range, last + 1, ~0U, 0);
}

/// Init's filter is measured at the barrier like the rest, so it has to be there by then.
void wait_for_filtered_init(const Attempt& attempt) {
  std::uint64_t count = 0;
  attempt.must(SetupStep::seccomp, 1, __NR_read, script_fd_filtered, address(&count),
               sizeof(count));
  call(__NR_close, script_fd_filtered);
}

void report_at_barrier(InitReportKind kind, const LandlockInForce& landlock) {
  InitReport report;
  report.kind = kind;
  report.keeps_signals = landlock.keeps_signals;
  report.index = static_cast<std::int32_t>(landlock.abi);
  const long sent = call(__NR_write, script_fd_barrier, address(&report), sizeof(report));
  if (sent < 0) call(__NR_exit_group, 1);
}

/// Says ARMED and waits for the one byte that lets the script go. End of file instead of the byte
/// means that the launcher refused the run or is gone.
void wait_at_barrier(const LandlockInForce& landlock) {
  report_at_barrier(InitReportKind::armed, landlock);
  char go = 0;
  const long received = call(__NR_read, script_fd_barrier, address(&go), 1);
  // Also at the end of this process: init shares its memory.
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (received != 1) call(__NR_exit_group, 1);
}

}  // namespace

void set_signal_mask(bool blocked) {
  const unsigned long mask = blocked ? ~0UL : 0UL;
  call(__NR_rt_sigprocmask, SIG_SETMASK, address(&mask), 0, sizeof(mask));
}

void reset_signal_dispositions() {
  constexpr int signal_max = 64;
  // All zero is SIG_DFL without flags in the kernel's struct on every architecture.
  const unsigned long defaults[8] = {};
  for (int signal = 1; signal <= signal_max; ++signal) {
    call(__NR_rt_sigaction, signal, address(defaults), 0, sizeof(unsigned long));
  }
}

namespace {

/// Of a directory above our root getcwd says `(unreachable)`, which no path begins with.
void enter_working_directory(const Attempt& attempt, const InitBlock& block) {
  if (block.working_directory != 0) {
    attempt.must(SetupStep::working_directory, 0, __NR_chdir,
                 address(text_at(block, block.working_directory)));
  }
  if (block.sheds_capabilities == 0) return;
  char path[PATH_MAX];
  attempt.must(SetupStep::working_directory, 1, __NR_getcwd, address(path), sizeof(path));
  if (path[0] != '/') attempt.give_up(SetupStep::working_directory, 1, -ENOENT);
}

/// Enters the working directory and finds the command while a failure still counts as one of the
/// set-up.
void prepare_exec(const InitBlock& task, const Attempt& attempt, char (&path)[PATH_MAX]) {
  enter_working_directory(attempt, task);
  auto* const arguments = reinterpret_cast<const char* const*>(text_at(task, task.arguments));
  find_command(path, arguments[0], text_at(task, task.search_path));
}

[[noreturn]] void execute(const InitBlock& task, const Attempt& attempt,
                          const char (&path)[PATH_MAX]) {
  set_signal_mask(false);
  const long result =
      attempt.may(SetupStep::exec, 0, __NR_execve, address(path),
                  address(text_at(task, task.arguments)), address(text_at(task, task.environment)));
  attempt.give_up(SetupStep::exec, 0, result);
}

/// Waits until the launcher has measured this process, then makes it undumpable: it is a copy of
/// the launcher, with what earlier runs left in its memory, and no other process may read that. The
/// end of the socket means that the run is refused.
void become_undumpable() {
  char measured = 0;
  const long received = call(__NR_read, script_fd_barrier, address(&measured), 1);
  if (received != 1) call(__NR_exit_group, 1);
  call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/// Signals that are pending since the process waited for its task are not meant for the script. The
/// launcher sends it none before the script is released.
void discard_pending_signals() {
  const unsigned long all = ~0UL;
  const long at_once[2] = {};
  while (call(__NR_rt_sigtimedwait, address(&all), 0, address(at_once), sizeof(all)) > 0) {
  }
}

/// The rest of a prepared run, from behind every layer. What stands for disks may have been opened
/// to others since.
[[noreturn]] void run_task(const InitBlock& block, const InitBlock& task,
                           const LandlockInForce& landlock) {
  const Attempt attempt(task.fault, script_fd_barrier);
  discard_pending_signals();
  char path[PATH_MAX];
  prove_disks(attempt, block);
  prepare_exec(task, attempt, path);
  wait_at_barrier(landlock);
  execute(task, attempt, path);
}

/// What the script may never get back, in the order in which the kernel lets it go.
void give_up_privileges(const Attempt& attempt, const InitBlock& block) {
  if (block.change_identity != 0) change_identity(attempt, block.uid, block.gid);
  if (block.native.init_uid != 0) leave_user_of_init(attempt, block);
  if (block.nested_user_namespace != 0) {
    enter_nested_user_namespace(attempt,
                                {text_at(block, block.uid_map), text_at(block, block.gid_map)},
                                block.sees_processes != 0 ? script_fd_proc : -1);
    lock_capability_rules(attempt);
  }
  if (block.sheds_capabilities != 0) drop_capabilities(attempt);
  if (block.confined != 0) {
    attempt.must(SetupStep::no_new_privileges, 0, __NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
  }
}

}  // namespace

void become_script(const InitBlock& block, const InitSide& init) {
  const Attempt early(block.fault, init_fd_barrier);
  early.must(SetupStep::new_session, 0, __NR_setsid);
  take_streams(block, init.filtered_fd);
  const Attempt attempt(block.fault, script_fd_barrier);
  call(__NR_umask, 077);
  for (std::uint32_t i = 0; i < block.limit_count && i < init_limits_max; ++i) {
    set_limit(attempt, block.limits[i], static_cast<int>(i));
  }
  give_up_privileges(attempt, block);
  if (block.sees_processes != 0) call(__NR_close, script_fd_proc);
  // In case init is killed. It comes after the last change of ids, which clears the setting, and
  // is followed by a look at the parent, which may have died before.
  call(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (call(__NR_getppid) != init.pid) call(__NR_exit_group, 1);
  char path[PATH_MAX];
  if (block.waits_for_task == 0) prepare_exec(block, attempt, path);
  if (block.signals_are_default == 0) reset_signal_dispositions();
  // An unprivileged launcher may only look at us while we are dumpable; with a privileged one we
  // stay closed to other processes of the same user.
  call(__NR_prctl, PR_SET_DUMPABLE, block.dumpable_at_barrier, 0, 0, 0);
  prove_disks(attempt, block);  // by their modes alone: Landlock comes on top
  const LandlockInForce landlock = restrict_by_landlock(attempt, block, init.pid);
  if (block.seccomp_program != 0) {
    install_seccomp_filter(attempt, 0, text_at(block, block.seccomp_program), block.seccomp_length);
  }
  if (init.filtered_fd >= 0) wait_for_filtered_init(attempt);
  if (block.waits_for_task != 0) {
    report_at_barrier(InitReportKind::ready, landlock);
    become_undumpable();
    const InitBlock& task = receive_task(attempt);
    call(__NR_prctl, PR_SET_DUMPABLE, block.dumpable_at_barrier, 0, 0, 0);
    run_task(block, task, landlock);
  }
  wait_at_barrier(landlock);
  execute(block, attempt, path);
}

}  // namespace satellite::sandbox::bare
