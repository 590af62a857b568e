#include "tests/escape/probe/verb.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cstring>

namespace satellite::escape {
namespace {

constexpr unsigned long flag_remount = 32, flag_bind = 4096;
constexpr int detach = 2;

long raw_mount(const char* source, const char* target, const char* type, unsigned long flags) {
  return answered(::syscall(SYS_mount, source, target, type, flags, nullptr));
}

/// A fresh file system of the given type on the given directory.
long mount_fresh(const char* const* words) {
  return raw_mount("escape", words[1], words[0], 0);
}

long bind(const char* const* words) {
  return raw_mount(words[0], words[1], nullptr, flag_bind);
}

long remount_writable(const char* const* words) {
  return raw_mount(nullptr, words[0], nullptr, flag_remount | flag_bind);
}

long unmount(const char* const* words) {
  return answered(::syscall(SYS_umount2, words[0], detach));
}

long change_root(const char* const* words) {
  return answered(::syscall(SYS_chroot, words[0]));
}

long pivot(const char* const* words) {
  return answered(::syscall(SYS_pivot_root, words[0], words[0]));
}

long open_filesystem(const char* const* words) {
  return answered(::syscall(SYS_fsopen, words[0], 0U));
}

long clone_tree(const char* const* words) {
  return answered(::syscall(SYS_open_tree, AT_FDCWD, words[0], 1U /* OPEN_TREE_CLONE */));
}

long move_tree(const char* const* words) {
  return answered(::syscall(SYS_move_mount, AT_FDCWD, words[0], AT_FDCWD, words[1], 0U));
}

/// Takes the read-only flag off a mount.
long clear_read_only(const char* const* words) {
  const struct { unsigned long long set, clear, propagation, user; } change{0, 1, 0, 0};
  return answered(::syscall(SYS_mount_setattr, AT_FDCWD, words[0], 0U, &change, sizeof(change)));
}

constexpr Verb verbs[] = {
    {"mount", 2, Danger::other, mount_fresh},
    {"bind", 2, Danger::other, bind},
    {"remount-writable", 1, Danger::other, remount_writable},
    {"unmount", 1, Danger::other, unmount},
    {"change-root", 1, Danger::other, change_root},
    {"pivot-root", 1, Danger::other, pivot},
    {"open-filesystem", 1, Danger::none, open_filesystem},
    {"clone-tree", 1, Danger::none, clone_tree},
    {"move-tree", 2, Danger::other, move_tree},
    {"clear-read-only", 1, Danger::other, clear_read_only},
};

}  // namespace

Verbs mount_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
