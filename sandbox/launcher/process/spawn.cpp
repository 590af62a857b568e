#include "sandbox/launcher/process/spawn.hpp"

#include "sandbox/launcher/bare/raw_syscall.hpp"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>

namespace satellite::sandbox {
namespace {

int become_init(void* launch) {
  bare::become_init(*static_cast<const bare::InitLaunch*>(launch));
}

/// A copy of this process. The agent's copy of glibc knows nothing of it, and need not: it calls
/// only script_child.cpp.
Spawned spawn_copy(const bare::InitLaunch& launch, int control_group) {
  int pidfd = -1;
  clone_args wanted{};
  wanted.flags = CLONE_PIDFD | launch.new_namespaces;
  wanted.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  wanted.exit_signal = SIGCHLD;
  const bool grouped = control_group >= 0;
  if (grouped) {
    wanted.flags |= CLONE_INTO_CGROUP;
    wanted.cgroup = static_cast<unsigned>(control_group);
  }
  long pid = ::syscall(SYS_clone3, &wanted, sizeof(wanted));
  // Docker's filter answers clone3 with ENOSYS so that libc falls back, as we do.
  if (pid < 0 && errno == ENOSYS && !grouped) {
    pid = ::syscall(SYS_clone, wanted.flags | SIGCHLD, nullptr, &pidfd, 0, 0);
  }
  if (pid == 0) bare::become_init(launch);
  return {static_cast<pid_t>(pid), UniqueFd(pidfd)};
}

/// What the go-between is told and what it answers, in memory that both use.
struct Passage {
  const bare::InitLaunch& launch;
  clone_args wanted;
  long result = -ECHILD;
};

/// Runs in the go-between, beside a launcher that waits for it: raw calls only, as errno is shared.
int go_in_and_bear(void* passed) {
  auto& passage = *static_cast<Passage*>(passed);
  const bare::InitLaunch& launch = passage.launch;
  long result = bare::call(__NR_setns, launch.join_user_namespace_fd, CLONE_NEWUSER);
  if (result >= 0) result = bare::call(__NR_setns, launch.join_network_namespace_fd, CLONE_NEWNET);
  if (result >= 0) {
    result = bare::call(__NR_clone3, bare::address(&passage.wanted), sizeof(passage.wanted));
    if (result == -ENOSYS && (passage.wanted.flags & CLONE_INTO_CGROUP) == 0) {
      result = bare::call(__NR_clone, static_cast<long>(passage.wanted.flags), 0,
                          static_cast<long>(passage.wanted.pidfd));
    }
    if (result == 0) bare::become_init(launch);
  }
  passage.result = result;
  for (;;) bare::call(__NR_exit, 0);
}

}  // namespace

Spawned spawn_init_inside(const bare::InitLaunch& launch, std::byte* stack_end, int control_group) {
  int pidfd = -1;
  Passage passage{launch, {}};
  // With CLONE_PARENT the child takes over the go-between's own signal to us.
  passage.wanted.flags = CLONE_PIDFD | CLONE_PARENT | launch.new_namespaces;
  passage.wanted.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  if (control_group >= 0) {
    passage.wanted.flags |= CLONE_INTO_CGROUP;
    passage.wanted.cgroup = static_cast<unsigned>(control_group);
  }
  const int go_between =
      ::clone(go_in_and_bear, stack_end, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &passage);
  if (go_between < 0) return {};
  while (::waitpid(go_between, nullptr, 0) < 0 && errno == EINTR) {
  }
  // A change of credentials in shared memory may have opened it to debuggers.
  ::prctl(PR_SET_DUMPABLE, 0);
  if (passage.result < 0) errno = static_cast<int>(-passage.result);
  return {static_cast<pid_t>(passage.result), UniqueFd(pidfd)};
}

Spawned spawn_init(const bare::InitLaunch& launch, std::byte* stack_end, int control_group) {
  if (stack_end == nullptr || control_group >= 0) return spawn_copy(launch, control_group);
  // Unlike vfork(2) we do not stand still meanwhile: the child has the script's user already, and
  // another script of that user could stop it, and thereby us, for good.
  int pidfd = -1;
  const int pid = ::clone(become_init, stack_end, CLONE_VM | CLONE_PIDFD | SIGCHLD,
                          const_cast<bare::InitLaunch*>(&launch), &pidfd);
  return {pid, UniqueFd(pidfd)};
}

}  // namespace satellite::sandbox
