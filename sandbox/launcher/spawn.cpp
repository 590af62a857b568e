#include "sandbox/launcher/spawn.hpp"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>

namespace satellite::sandbox {
namespace {

int become_init(void* launch) {
  bare::become_init(*static_cast<const bare::InitLaunch*>(launch));
}

/// A copy of this process. The agent's copy of glibc knows nothing of it, and need not: it calls
/// only child.cpp.
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

}  // namespace

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
