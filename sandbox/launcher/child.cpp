// The only code between the launcher's fork and the script's execve: it allocates nothing, takes no
// lock, throws nothing, logs nothing and calls no libc. It walks prepared values and on failure
// says {step, index, errno} on a socket. Compiled twice: into the agent, and freestanding into the
// init program that a wrapper executes.
#include "sandbox/launcher/child.hpp"

#include "sandbox/launcher/init.hpp"
#include "sandbox/launcher/raw_syscall.hpp"

#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/resource.h>

namespace satellite::sandbox::bare {
namespace {

constexpr long error_no_entry = -2;          // ENOENT
constexpr long error_not_permitted = -1;     // EPERM
constexpr long error_access = -13;           // EACCES
constexpr long error_not_directory = -20;    // ENOTDIR
constexpr int clear_descriptors_from = 100;  // above every InitFd, below the usual soft limit
constexpr int signal_max = 64;
constexpr long capability_max = 63;

/// Moves the prepared descriptors to their agreed numbers. They may already sit on each other's
/// numbers, so all go out of the way first.
void place_descriptors(const InitLaunch& launch) {
  const int control = launch.fds[init_fd_control];
  int moved[init_fd_end];
  for (int i = 0; i < init_fd_end; ++i) {
    moved[i] = -1;
    if (launch.fds[i] < 0) continue;
    const long fd = call(__NR_fcntl, launch.fds[i], F_DUPFD_CLOEXEC, clear_descriptors_from);
    if (fd < 0) fail(control, SetupStep::descriptors, fd, i);
    moved[i] = static_cast<int>(fd);
  }
  const long null_fd = call(__NR_fcntl, launch.null_fd, F_DUPFD_CLOEXEC, clear_descriptors_from);
  const long messages =
      launch.wrapper_messages_fd < 0
          ? null_fd
          : call(__NR_fcntl, launch.wrapper_messages_fd, F_DUPFD_CLOEXEC, clear_descriptors_from);
  if (null_fd < 0) fail(moved[init_fd_control], SetupStep::descriptors, null_fd);
  if (messages < 0) fail(moved[init_fd_control], SetupStep::descriptors, messages);
  const long standard[3] = {null_fd, null_fd, messages};
  for (int i = 0; i < init_fd_end; ++i) {
    const long source = i < init_fd_block ? standard[i] : moved[i];
    if (source < 0) {
      call(__NR_close, i);
      continue;
    }
    const long placed = call(__NR_dup3, source, i, 0);
    if (placed < 0) fail(moved[init_fd_control], SetupStep::descriptors, placed, i);
  }
  const long closed = call(__NR_close_range, init_fd_end, ~0U, 0);
  if (closed < 0) fail(init_fd_control, SetupStep::descriptors, closed, init_fd_end);
}

/// The irreversible drop. Groups go first: without privilege they can no longer be shed.
void change_identity(int report_fd, std::uint32_t uid, std::uint32_t gid) {
  for (long capability = 0; capability <= capability_max; ++capability) {
    if (call(__NR_prctl, PR_CAPBSET_DROP, capability) < 0) break;  // past the last one: EINVAL
  }
  call(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  const long groups = call(__NR_setgroups, 0, 0);
  if (groups < 0) fail(report_fd, SetupStep::groups, groups);
  const long group = call(__NR_setresgid, gid, gid, gid);
  if (group < 0) fail(report_fd, SetupStep::group_id, group);
  const long user = call(__NR_setresuid, uid, uid, uid);
  if (user < 0) fail(report_fd, SetupStep::user_id, user);
  const long back = call(__NR_setresuid, 0, 0, 0);
  if (back != error_not_permitted) fail(report_fd, SetupStep::confirm_identity, back);
}

/// Soft and hard become `value`, but a hard limit that is lower already stays: never loosen.
void set_limit(int report_fd, const InitLimit& limit, int index) {
  struct {
    std::uint64_t soft, hard;
  } old{}, wanted{limit.value, limit.value};
  const long resource = static_cast<long>(limit.resource);
  const long got = call(__NR_prlimit64, 0, resource, 0, address(&old));
  if (got < 0) fail(report_fd, SetupStep::limit, got, index);
  if (old.hard < limit.value) wanted.soft = wanted.hard = old.hard;
  const long set = call(__NR_prlimit64, 0, resource, address(&wanted), 0);
  if (set < 0) fail(report_fd, SetupStep::limit, set, index);
}

const char* text_at(const InitBlock& block, std::uint32_t offset) {
  return reinterpret_cast<const char*>(&block) + offset;
}

constexpr int path_size_max = 4096;

/// Writes `directory`/`name` into `path`; false when it does not fit.
bool join_path(char (&path)[path_size_max], const char* directory, long length, const char* name) {
  long at = 0;
  for (; at < length; ++at) {
    if (at >= path_size_max - 2) return false;
    path[at] = directory[at];
  }
  if (length > 0) path[at++] = '/';  // an empty element means the working directory
  for (; *name != '\0'; ++name) {
    if (at >= path_size_max - 1) return false;
    path[at++] = *name;
  }
  path[at] = '\0';
  return true;
}

/// As execvp looks: a name with a slash as it is, others along the search path. Found before the
/// barrier, so that a missing interpreter is a failed setup and not a script that started.
void find_command(char (&path)[path_size_max], const char* name, const char* search_path) {
  for (const char* c = name; *c != '\0'; ++c) {
    if (*c != '/') continue;
    if (!join_path(path, "", 0, name)) break;
    const long usable = call(__NR_faccessat, AT_FDCWD, address(path), 1);
    if (usable < 0) fail(script_fd_barrier, SetupStep::find_command, usable);
    return;
  }
  long result = error_no_entry;
  for (const char* start = search_path;; ++start) {
    const char* end = start;
    while (*end != '\0' && *end != ':') ++end;
    if (*name != '\0' && join_path(path, start, end - start, name)) {
      const long usable = call(__NR_faccessat, AT_FDCWD, address(path), 1);
      if (usable == 0) return;
      if (usable == error_access) result = usable;
      if (usable != error_no_entry && usable != error_not_directory && usable != error_access) {
        result = usable;
        break;
      }
    }
    if (*end == '\0') break;
    start = end;
  }
  fail(script_fd_barrier, SetupStep::find_command, result);
}

/// Leaves 0, 1, 2, the script's text if it has one, and the barrier, which closes at exec.
void take_streams() {
  const int sources[3] = {init_fd_standard_input, init_fd_standard_output, init_fd_standard_error};
  for (int i = 0; i < 3; ++i) {
    const long placed = call(__NR_dup3, sources[i], i, 0);
    if (placed < 0) fail(init_fd_barrier, SetupStep::standard_streams, placed, i);
  }
  if (call(__NR_dup3, init_fd_long_script, script_fd_long_script, 0) < 0) {
    call(__NR_close, script_fd_long_script);
  }
  const long barrier = call(__NR_dup3, init_fd_barrier, script_fd_barrier, O_CLOEXEC);
  if (barrier < 0) fail(init_fd_barrier, SetupStep::standard_streams, barrier, init_fd_barrier);
  const long closed = call(__NR_close_range, script_fd_barrier + 1, ~0U, 0);
  if (closed < 0) fail(script_fd_barrier, SetupStep::descriptors, closed);
}

/// Says ARMED and waits for the one byte that lets the script go. End of file instead of the byte
/// means that the launcher refused the run or is gone.
void wait_at_barrier() {
  InitReport report;
  report.kind = InitReportKind::armed;
  const long sent = call(__NR_write, script_fd_barrier, address(&report), sizeof(report));
  if (sent < 0) call(__NR_exit_group, 1);
  char go = 0;
  const long received = call(__NR_read, script_fd_barrier, address(&go), 1);
  if (received != 1) call(__NR_exit_group, 1);
}

}  // namespace

void fail(int fd, SetupStep step, long result, int index) {
  InitReport report;
  report.kind = InitReportKind::failed;
  report.step = step;
  report.index = index;
  report.error_number = static_cast<std::int32_t>(-result);
  call(__NR_write, fd, address(&report), sizeof(report));
  for (;;) call(__NR_exit_group, 127);
}

void set_signal_mask(bool blocked) {
  const unsigned long mask = blocked ? ~0UL : 0UL;
  call(__NR_rt_sigprocmask, 2 /* SIG_SETMASK */, address(&mask), 0, sizeof(mask));
}

void reset_signal_dispositions() {
  // All zero is SIG_DFL without flags in the kernel's struct on every architecture.
  const unsigned long defaults[8] = {};
  for (int signal = 1; signal <= signal_max; ++signal) {
    call(__NR_rt_sigaction, signal, address(defaults), 0, sizeof(unsigned long));
  }
}

void become_init(const InitLaunch& launch) {
  place_descriptors(launch);
  if (launch.wrapper_path == nullptr) run_init();
  if (launch.change_identity) change_identity(init_fd_control, launch.uid, launch.gid);
  call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  reset_signal_dispositions();
  set_signal_mask(false);
  const long result = call(__NR_execve, address(launch.wrapper_path),
                           address(launch.wrapper_arguments), address(launch.wrapper_environment));
  fail(init_fd_control, SetupStep::exec_wrapper, result);
}

void become_script(const InitBlock& block, long parent_pid) {
  const long session = call(__NR_setsid);
  if (session < 0) fail(init_fd_barrier, SetupStep::new_session, session);
  take_streams();
  call(__NR_umask, 077);
  for (std::uint32_t i = 0; i < block.limit_count && i < init_limits_max; ++i) {
    set_limit(script_fd_barrier, block.limits[i], static_cast<int>(i));
  }
  if (block.change_identity != 0) change_identity(script_fd_barrier, block.uid, block.gid);
  if (block.confined != 0) {
    const long locked = call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (locked < 0) fail(script_fd_barrier, SetupStep::no_new_privileges, locked);
  }
  // A backup for the case that init is killed: it must come after the last change of ids, which
  // clears it, and the parent may have died in between.
  call(__NR_prctl, PR_SET_PDEATHSIG, 9 /* SIGKILL */, 0, 0, 0);
  if (call(__NR_getppid) != parent_pid) call(__NR_exit_group, 1);
  if (block.working_directory != 0) {
    const long entered = call(__NR_chdir, address(text_at(block, block.working_directory)));
    if (entered < 0) fail(script_fd_barrier, SetupStep::working_directory, entered);
  }
  auto* const arguments = reinterpret_cast<const char* const*>(text_at(block, block.arguments));
  char path[path_size_max];
  find_command(path, arguments[0], text_at(block, block.search_path));
  reset_signal_dispositions();
  // An unprivileged launcher may only look at us while we are dumpable; with a privileged one we
  // stay closed to other processes of the same user.
  call(__NR_prctl, PR_SET_DUMPABLE, block.dumpable_at_barrier, 0, 0, 0);
  wait_at_barrier();
  set_signal_mask(false);
  const long result = call(__NR_execve, address(path), address(arguments),
                           address(text_at(block, block.environment)));
  fail(script_fd_barrier, SetupStep::exec, result);
}

}  // namespace satellite::sandbox::bare
