// What the launcher's child does first. Same rules as script_child.cpp: it walks prepared values,
// allocates nothing, takes no lock, and on failure says {step, index, errno} on a socket.
#include "sandbox/launcher/bare/hardening.hpp"
#include "sandbox/launcher/bare/init.hpp"
#include "sandbox/launcher/bare/init_launch.hpp"
#include "sandbox/launcher/bare/raw_syscall.hpp"
#include "sandbox/launcher/bare/script_child.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/sched.h>

namespace satellite::sandbox::bare {
namespace {

constexpr int clear_descriptors_from = 100;  // above all of these, below the usual soft limit
static_assert(init_fd_end + wrapper_files_max <= clear_descriptors_from);
constexpr Fault no_fault{};

/// Out of the way of the agreed numbers, which end at `end`, if it has one of these.
long move_away(int fd, int end) {
  if (fd >= end) return fd;
  return call(__NR_fcntl, fd, F_DUPFD_CLOEXEC, clear_descriptors_from);
}

/// What the wrapper reads, right behind what init has. Returns the first number that is free.
int place_wrapper_files(const long (&moved)[wrapper_files_max], int count) {
  for (int i = 0; i < count; ++i) {
    const long placed = call(__NR_dup3, moved[i], init_fd_end + i, 0);
    if (placed < 0) fail(init_fd_control, SetupStep::descriptors, placed, init_fd_end + i);
  }
  return init_fd_end + count;
}

/// Moves the prepared descriptors to their agreed numbers. They may already sit on each other's
/// numbers, so all go out of the way first.
void place_descriptors(const InitLaunch& launch) {
  const int control = launch.fds[init_fd_control];
  const int end_of_all = init_fd_end + launch.wrapper_file_count;
  long files[wrapper_files_max];
  for (int i = 0; i < launch.wrapper_file_count; ++i) {
    files[i] = move_away(launch.wrapper_file_fds[i], end_of_all);
    if (files[i] < 0) fail(control, SetupStep::descriptors, files[i], init_fd_end + i);
  }
  int moved[init_fd_end];
  for (int i = 0; i < init_fd_end; ++i) {
    moved[i] = -1;
    if (launch.fds[i] < 0) continue;
    const long fd = move_away(launch.fds[i], end_of_all);
    if (fd < 0) fail(control, SetupStep::descriptors, fd, i);
    moved[i] = static_cast<int>(fd);
  }
  const long null_fd = move_away(launch.null_fd, end_of_all);
  const long messages =
      launch.wrapper_messages_fd < 0 ? null_fd : move_away(launch.wrapper_messages_fd, end_of_all);
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
  const int end = place_wrapper_files(files, launch.wrapper_file_count);
  const long closed = call(__NR_close_range, end, ~0U, 0);
  if (closed < 0) fail(init_fd_control, SetupStep::descriptors, closed, init_fd_end);
}

/// First of all: it takes privileges that are dropped next, and the descriptors that close then.
void join_namespaces(const InitLaunch& launch) {
  const Attempt attempt(no_fault, launch.fds[init_fd_control]);
  if (launch.join_user_namespace_fd >= 0) {
    attempt.must(SetupStep::join_namespace, 0, __NR_setns, launch.join_user_namespace_fd,
                 CLONE_NEWUSER);
  }
  if (launch.join_network_namespace_fd >= 0) {
    attempt.must(SetupStep::join_namespace, 1, __NR_setns, launch.join_network_namespace_fd,
                 CLONE_NEWNET);
  }
  if (launch.template_fd < 0) return;
  attempt.must(SetupStep::join_namespace, 2, __NR_setns, launch.template_fd, CLONE_NEWNS);
  attempt.must(SetupStep::join_namespace, 3, __NR_unshare, CLONE_NEWNS);
}

/// Init sheds them again, the whole way back included, before it starts anything.
void keep_capabilities_over_exec(const Attempt& attempt) {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  attempt.must(SetupStep::capabilities, 3, __NR_capget, address(&head), address(sets));
  for (auto& set : sets) set.inheritable = set.permitted;
  attempt.must(SetupStep::capabilities, 3, __NR_capset, address(&head), address(sets));
  for (long capability = 0; capability <= 63; ++capability) {
    const auto& set = sets[capability / 32];
    if ((set.permitted >> (capability % 32) & 1U) == 0) continue;
    attempt.must(SetupStep::capabilities, 3, __NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
                 capability, 0, 0);
  }
}

[[noreturn]] void execute_init(const Attempt& attempt) {
  const char* const arguments[] = {"csat-init", nullptr};
  const char* const environment[] = {nullptr};
  const long result = call(__NR_execveat, init_fd_program, address(""), address(arguments),
                           address(environment), AT_EMPTY_PATH);
  attempt.give_up(SetupStep::exec_init, 0, result);
}

}  // namespace

void become_init(const InitLaunch& launch) {
  join_namespaces(launch);
  place_descriptors(launch);
  if (launch.block != nullptr) run_init(launch.block);
  const Attempt attempt(no_fault, init_fd_control);
  if (launch.wrapper_path == nullptr) {
    if (launch.keeps_capabilities) keep_capabilities_over_exec(attempt);
    execute_init(attempt);
  }
  if (launch.change_identity) change_identity(attempt, launch.uid, launch.gid);
  call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  reset_signal_dispositions();
  set_signal_mask(false);
  const long result = call(__NR_execve, address(launch.wrapper_path),
                           address(launch.wrapper_arguments), address(launch.wrapper_environment));
  fail(init_fd_control, SetupStep::exec_wrapper, result);
}

}  // namespace satellite::sandbox::bare
