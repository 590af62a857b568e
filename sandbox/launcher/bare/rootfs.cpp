// Runs between clone and the start of init: raw system calls over prepared values, no libc.
#include "sandbox/launcher/bare/rootfs.hpp"

#include "sandbox/launcher/bare/carrier.hpp"
#include "sandbox/launcher/bare/rootfs_step.hpp"

#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

namespace satellite::sandbox::bare {
namespace {

constexpr long mnt_detach = 2;  // MNT_DETACH, which no kernel header exports

// The new root is built here: /proc exists on every host, and no later step needs the host's.
constexpr const char* staging_root = "/proc";
constexpr const char* root_options = "mode=0755,size=8m,nr_inodes=4k";
constexpr std::uint64_t nosuid_nodev = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;

/// A root launcher makes device nodes in the root, so there it cannot be nodev. The script cannot
/// make any: it holds no capability, and the root is remounted read-only.
unsigned long memory_flags(const NativeSetup& setup) {
  return setup.own_user ? nosuid_nodev : MS_NOSUID;
}

// What a root on a disk has in memory all the same: files made for the run, device nodes.
constexpr const char* in_memory[] = {"dev", "etc"};
constexpr const char* in_staging_root[] = {"/proc/dev", "/proc/etc"};
constexpr const char* disk_root_place = ".root";

/// The directory of the host that becomes the root is mounted in the staging root, and entered.
void enter_disk_root(const Attempt& attempt, const char* directory) {
  const long tree = attempt.must(SetupStep::new_root, 4, __NR_open_tree, AT_FDCWD,
                                 address(directory), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  attempt.must(SetupStep::new_root, 5, __NR_mkdirat, AT_FDCWD, address(disk_root_place), 0755);
  attempt.must(SetupStep::new_root, 5, __NR_move_mount, tree, address(""), AT_FDCWD,
               address(disk_root_place), MOVE_MOUNT_F_EMPTY_PATH);
  call(__NR_close, tree);
  for (const char* const path : in_memory) {
    attempt.must(SetupStep::new_root, 6, __NR_mkdirat, AT_FDCWD, address(path), 0755);
  }
  attempt.must(SetupStep::new_root, 7, __NR_chdir, address(disk_root_place));
  for (int i = 0; i < 2; ++i) {
    attempt.must(SetupStep::new_root, 6, __NR_mkdirat, AT_FDCWD, address(in_memory[i]), 0755);
    attempt.must(SetupStep::new_root, 6, __NR_mount, address(in_staging_root[i]),
                 address(in_memory[i]), 0, MS_BIND, 0);
  }
}

/// Cloned before the staging root covers it. Without root what is mounted in it comes along, and
/// later steps cover that.
long clone_host_proc(const Attempt& attempt, const NativeSetup& setup) {
  if (!setup.shows_processes) return -1;
  const long depth = setup.own_user ? AT_RECURSIVE : 0;
  return attempt.must(SetupStep::new_root, 8, __NR_open_tree, AT_FDCWD, address(staging_root),
                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth);
}

void enter_staging_root(const Attempt& attempt, const NativeSetup& setup) {
  attempt.must(SetupStep::new_root, 0, __NR_mount, address("tmpfs"), address(staging_root),
               address("tmpfs"), static_cast<long>(memory_flags(setup)), address(root_options));
  attempt.must(SetupStep::new_root, 1, __NR_chdir, address(staging_root));
  if (setup.disk_root != nullptr) enter_disk_root(attempt, setup.disk_root);
}

void seal(const Attempt& attempt, const char* path, std::uint64_t flags) {
  const long set = add_mount_flags(path, MOUNT_ATTR_RDONLY | flags);
  if (set < 0) attempt.give_up(SetupStep::seal_root, 0, set);
}

void seal_root(const Attempt& attempt, const NativeSetup& setup) {
  attempt.check_fault(SetupStep::seal_root, 0);
  if (setup.disk_root == nullptr) return seal(attempt, ".", memory_flags(setup));
  for (const char* const path : in_memory) seal(attempt, path, memory_flags(setup));
  seal(attempt, ".", nosuid_nodev);
}

/// Seals the new root, makes it `/` and detaches the old one, which pivot_root(".", ".") stacks on
/// top of it: nothing of the host's mounts stays reachable.
void pivot_into_root(const Attempt& attempt, const NativeSetup& setup) {
  seal_root(attempt, setup);
  attempt.must(SetupStep::pivot_root, 0, __NR_pivot_root, address("."), address("."));
  attempt.must(SetupStep::detach_host, 0, __NR_umount2, address("."), mnt_detach);
  attempt.must(SetupStep::detach_host, 1, __NR_chdir, address("/"));
}

}  // namespace

namespace {

void build_steps(const Attempt& attempt, const NativeSetup& setup, int first, int end) {
  for (int i = first; i < end; ++i) build_rootfs_step(attempt, setup, i);
}

/// The copy of a shared mount would tell the original what is mounted in it.
void keep_mounts_private(const Attempt& attempt) {
  const long flags = MS_REC | MS_PRIVATE;
  attempt.must(SetupStep::private_mounts, 0, __NR_mount, 0, address("/"), 0, flags, 0);
}

/// A program with file capabilities that are not in the empty bounding set cannot be executed
/// (EPERM), ping(8) among them. On a mount that ignores such privileges it runs without them.
/// Before Linux 5.12 the mounts stay as they are.
void ignore_file_privileges(const Attempt& attempt) {
  mount_attr flags{};
  flags.attr_set = MOUNT_ATTR_NOSUID;
  const long set = attempt.may(SetupStep::private_mounts, 1, __NR_mount_setattr, AT_FDCWD,
                               address("/"), AT_RECURSIVE, address(&flags), sizeof(flags));
  if (set < 0 && set != -ENOSYS) attempt.give_up(SetupStep::private_mounts, 1, set);
}

}  // namespace

void build_rootfs(const Attempt& attempt, const NativeSetup& wanted) {
  keep_mounts_private(attempt);
  NativeSetup setup = wanted;
  setup.host_proc_fd = static_cast<int>(clone_host_proc(attempt, setup));
  if (setup.confined) {
    enter_staging_root(attempt, setup);
  } else {
    ignore_file_privileges(attempt);
    attempt.must(SetupStep::new_root, 1, __NR_chdir, address("/"));
  }
  build_steps(attempt, setup, 0, setup.step_count);
  if (setup.confined) pivot_into_root(attempt, setup);
}

namespace {

/// Somebody without the host's privileges may mount a proc only where he sees a whole one. This one
/// belongs to the pid namespace of the caller's next child, which ends with it: it shows nothing.
/// Each run covers it with its own.
void mount_empty_proc(const Attempt& attempt) {
  const long child = attempt.must(SetupStep::new_root, 2, __NR_clone, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    constexpr long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    const long mounted =
        call(__NR_mount, address("proc"), address("proc"), address("proc"), flags, 0);
    call(__NR_exit_group, mounted < 0 ? -mounted : 0);
  }
  int status = 0;
  while (call(__NR_wait4, child, address(&status), 0, 0) == -EINTR) {
  }
  if (status != 0) attempt.give_up(SetupStep::new_root, 3, -((status >> 8) & 0xff));
}

}  // namespace

void build_template(const Attempt& attempt, const NativeSetup& wanted) {
  keep_mounts_private(attempt);
  NativeSetup setup = wanted;
  setup.host_proc_fd = static_cast<int>(clone_host_proc(attempt, setup));
  enter_staging_root(attempt, setup);
  build_steps(attempt, setup, 0, setup.root_step_count);
  if (setup.own_user && !setup.shows_processes) mount_empty_proc(attempt);
  pivot_into_root(attempt, setup);
}

void mount_own_proc(const Attempt& attempt, const NativeSetup& setup) {
  const int proc = setup.root_step_count;
  build_steps(attempt, setup, proc, proc + 1);
}

void complete_rootfs(const Attempt& attempt, const NativeSetup& setup) {
  const int done = setup.shows_processes ? 0 : 1;
  build_steps(attempt, setup, setup.root_step_count + done, setup.step_count);
}

}  // namespace satellite::sandbox::bare
