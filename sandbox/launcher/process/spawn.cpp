#include "sandbox/launcher/process/spawn.hpp"

#include "sandbox/launcher/bare/clone_on_stack.hpp"
#include "sandbox/launcher/bare/raw_syscall.hpp"

#include <fcntl.h>
#include <linux/mount.h>
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

constexpr std::uint64_t stack_size_min = 16U << 10U;

clone_args arguments_of(const bare::InitLaunch& launch, std::byte* stack_end, int control_group,
                        int& pidfd) {
  clone_args wanted{};
  wanted.flags = CLONE_PIDFD | launch.new_namespaces;
  wanted.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  wanted.exit_signal = SIGCHLD;
  if (stack_end != nullptr) {
    wanted.flags |= CLONE_VM;
    wanted.stack = reinterpret_cast<std::uint64_t>(stack_end) - stack_size_min;
    wanted.stack_size = stack_size_min;
  }
  if (control_group >= 0) {
    wanted.flags |= CLONE_INTO_CGROUP;
    wanted.cgroup = static_cast<unsigned>(control_group);
  }
  return wanted;
}

/// A copy of this process. The agent's copy of glibc knows nothing of it, and need not: it calls
/// only what is in bare/. Also for a filter that answers clone3 with ENOSYS, as Docker's does so
/// that libc falls back.
long clone_copy(clone_args wanted, const bare::InitLaunch& launch) {
  wanted.flags &= ~std::uint64_t{CLONE_VM};
  wanted.stack = wanted.stack_size = 0;
  long pid = bare::call(__NR_clone3, bare::address(&wanted), sizeof(wanted));
  if (pid == -ENOSYS && (wanted.flags & CLONE_INTO_CGROUP) == 0) {
    pid = bare::call(__NR_clone, static_cast<long>(wanted.flags | wanted.exit_signal), 0,
                     static_cast<long>(wanted.pidfd));
  }
  if (pid == 0) bare::become_init(launch);
  return pid;
}

void begin_init(const void* launch) {
  bare::become_init(*static_cast<const bare::InitLaunch*>(launch));
}

/// ENOSYS is the only failure that this kernel's older call may not have, too.
long clone_init(clone_args& wanted, const bare::InitLaunch& launch) {
  long pid = -ENOSYS;
  if ((wanted.flags & CLONE_VM) != 0) {
    pid = bare::clone_on_stack(__NR_clone3, bare::address(&wanted), sizeof(wanted), begin_init,
                               &launch);
  }
  return pid == -ENOSYS ? clone_copy(wanted, launch) : pid;
}

Spawned spawned(long pid, int pidfd) {
  if (pid < 0) errno = static_cast<int>(-pid);
  return {static_cast<pid_t>(pid), UniqueFd(pid < 0 ? -1 : pidfd)};
}

/// What the intermediate process is asked for and what it answers, in memory that both share.
struct CloneRequest {
  const bare::InitLaunch& launch;
  const SpawnNamespaces& place;
  clone_args wanted;
  long result = -ECHILD;
  SetupStep failed_step = SetupStep::fork;
};

long enter(int descriptor, long kind) {
  return descriptor < 0 ? 0 : bare::call(__NR_setns, descriptor, kind);
}

/// The run's scratch directory as a mount that nothing is told about and that tells nobody.
long take_scratch(const SpawnNamespaces& place) {
  if (place.scratch == nullptr) return 0;
  const long tree = bare::call(__NR_open_tree, AT_FDCWD, bare::address(place.scratch),
                               OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0) return tree;
  *place.scratch_tree = static_cast<int>(tree);
  mount_attr flags{};
  flags.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  flags.propagation = MS_PRIVATE;
  return bare::call(__NR_mount_setattr, tree, bare::address(""), AT_EMPTY_PATH,
                    bare::address(&flags), sizeof(flags));
}

/// Runs in the intermediate process, which shares the memory of the launcher that waits for it: raw
/// system calls only, because errno is shared too.
int clone_inside_namespaces(void* passed) {
  auto& request = *static_cast<CloneRequest*>(passed);
  const SpawnNamespaces& place = request.place;
  long result = enter(place.parent_user, CLONE_NEWUSER);
  if (result >= 0 && place.scratch != nullptr) {
    request.failed_step = SetupStep::scratch_directory;
    result = enter(place.parent_mounts, CLONE_NEWNS);
    if (result >= 0) result = take_scratch(place);
  }
  if (result >= 0) {
    request.failed_step = SetupStep::join_namespace;
    result = enter(place.root, CLONE_NEWNS);
  }
  if (result >= 0) result = enter(place.network_user, CLONE_NEWUSER);
  if (result >= 0) result = enter(place.network, CLONE_NEWNET);
  if (result >= 0) {
    request.failed_step = SetupStep::fork;
    result = clone_init(request.wanted, request.launch);
  }
  request.result = result;
  for (;;) bare::call(__NR_exit, 0);
}

}  // namespace

Spawned spawn_init_inside(const bare::InitLaunch& launch, const SpawnNamespaces& place,
                          std::byte* intermediate_stack_end, std::byte* stack_end,
                          int control_group) {
  int pidfd = -1;
  CloneRequest request{launch, place, arguments_of(launch, stack_end, control_group, pidfd)};
  // With CLONE_PARENT the child's exit signal is that of the intermediate process: SIGCHLD.
  request.wanted.flags |= CLONE_PARENT;
  request.wanted.exit_signal = 0;
  const int intermediate = ::clone(clone_inside_namespaces, intermediate_stack_end,
                                   CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &request);
  if (intermediate < 0) return {};
  while (::waitpid(intermediate, nullptr, 0) < 0 && errno == EINTR) {
  }
  // setns(2) by a process with the same memory may have made this one dumpable.
  ::prctl(PR_SET_DUMPABLE, 0);
  Spawned made = spawned(request.result, pidfd);
  made.failed_step = request.failed_step;
  return made;
}

Spawned spawn_init(const bare::InitLaunch& launch, std::byte* stack_end, int control_group) {
  int pidfd = -1;
  // Without CLONE_VFORK, which would suspend the launcher until the exec: the child of a wrapper
  // has the script's user already, and another script of that user could stop it for ever.
  clone_args wanted = arguments_of(launch, stack_end, control_group, pidfd);
  const long pid = clone_init(wanted, launch);  // which is what sets the other one
  return spawned(pid, pidfd);
}

}  // namespace satellite::sandbox
