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

/// What the intermediate process is asked for and what it answers, in memory that both share.
struct CloneRequest {
  const bare::InitLaunch& launch;
  const EnteredNamespace* places;
  std::size_t place_count;
  clone_args wanted;
  long result = -ECHILD;
};

/// Runs in the intermediate process, which shares the memory of the launcher that waits for it: raw
/// system calls only, because errno is shared too.
int clone_inside_namespace(void* passed) {
  auto& request = *static_cast<CloneRequest*>(passed);
  const bare::InitLaunch& launch = request.launch;
  long result = 0;
  for (std::size_t i = 0; i < request.place_count && result >= 0; ++i) {
    result = bare::call(__NR_setns, request.places[i].fd, request.places[i].kind);
  }
  if (result >= 0) {
    result = bare::call(__NR_clone3, bare::address(&request.wanted), sizeof(request.wanted));
    if (result == -ENOSYS && (request.wanted.flags & CLONE_INTO_CGROUP) == 0) {
      result = bare::call(__NR_clone, static_cast<long>(request.wanted.flags), 0,
                          static_cast<long>(request.wanted.pidfd));
    }
    if (result == 0) bare::become_init(launch);
  }
  request.result = result;
  for (;;) bare::call(__NR_exit, 0);
}

}  // namespace

Spawned spawn_init_inside(const bare::InitLaunch& launch, std::span<const EnteredNamespace> places,
                          std::byte* stack_end, int control_group) {
  int pidfd = -1;
  CloneRequest request{launch, places.data(), places.size(), {}};
  // With CLONE_PARENT the child's exit signal is that of the intermediate process: SIGCHLD.
  request.wanted.flags = CLONE_PIDFD | CLONE_PARENT | launch.new_namespaces;
  request.wanted.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  if (control_group >= 0) {
    request.wanted.flags |= CLONE_INTO_CGROUP;
    request.wanted.cgroup = static_cast<unsigned>(control_group);
  }
  const int intermediate = ::clone(clone_inside_namespace, stack_end,
                                   CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &request);
  if (intermediate < 0) return {};
  while (::waitpid(intermediate, nullptr, 0) < 0 && errno == EINTR) {
  }
  // setns(2) by a process with the same memory may have made this one dumpable.
  ::prctl(PR_SET_DUMPABLE, 0);
  if (request.result < 0) errno = static_cast<int>(-request.result);
  return {static_cast<pid_t>(request.result), UniqueFd(pidfd)};
}

Spawned spawn_init(const bare::InitLaunch& launch, std::byte* stack_end, int control_group) {
  if (stack_end == nullptr || control_group >= 0) return spawn_copy(launch, control_group);
  // Without CLONE_VFORK, which would suspend the launcher until the exec: the child has the
  // script's user already, and another script of that user could stop it for ever.
  int pidfd = -1;
  const int pid = ::clone(become_init, stack_end, CLONE_VM | CLONE_PIDFD | SIGCHLD,
                          const_cast<bare::InitLaunch*>(&launch), &pidfd);
  return {pid, UniqueFd(pidfd)};
}

}  // namespace satellite::sandbox
