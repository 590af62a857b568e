#include "tests/escape/probe/verb.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace satellite::escape {
namespace {

constexpr unsigned all_namespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                    CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

/// The clone flag of a namespace by the name it has in /proc/self/ns.
unsigned flag_of(const char* name) {
  const struct {
    const char* name;
    unsigned flag;
  } flags[] = {{"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS},    {"pid", CLONE_NEWPID},
               {"net", CLONE_NEWNET},   {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS},
               {"time", 0x80U},         {"all", all_namespaces}, {"cgroup", CLONE_NEWCGROUP}};
  for (const auto& one : flags) {
    if (std::strcmp(one.name, name) == 0) return one.flag;
  }
  return 0;
}

long set_user(const char* const* words) {
  const auto id = static_cast<uid_t>(std::strtoul(words[0], nullptr, 10));
  return answered(::syscall(SYS_setresuid, id, id, id));
}

long set_group(const char* const* words) {
  const auto id = static_cast<gid_t>(std::strtoul(words[0], nullptr, 10));
  return answered(::syscall(SYS_setresgid, id, id, id));
}

long add_group(const char* const* words) {
  const auto id = static_cast<gid_t>(std::strtoul(words[0], nullptr, 10));
  return answered(::syscall(SYS_setgroups, 1UL, &id));
}

long count_groups(const char* const*) {
  gid_t groups[64];
  const int count = ::getgroups(64, groups);
  for (int i = 0; i < count; ++i) say("%u ", groups[i]);
  return count > 0 ? count : -ENOENT;
}

long unshare_one(const char* const* words) {
  return answered(::syscall(SYS_unshare, static_cast<unsigned long>(flag_of(words[0]))));
}

long clone_one(const char* const* words) {
  const long pid = ::syscall(SYS_clone, static_cast<unsigned long>(flag_of(words[0])) | SIGCHLD,
                             0UL, 0UL, 0UL, 0UL);
  if (pid == 0) ::syscall(SYS_exit_group, 0);
  const long result = answered(pid);
  if (pid > 0) ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
  return result;
}

long clone3_one(const char* const* words) {
  unsigned long long arguments[11] = {};
  arguments[0] = flag_of(words[0]);
  arguments[4] = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, arguments, sizeof(arguments));
  if (pid == 0) ::syscall(SYS_exit_group, 0);
  const long result = answered(pid);
  if (pid > 0) ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
  return result;
}

/// What a nested user namespace is good for: capabilities, and with them the kernel's least tested
/// code.
long gain_capabilities(const char* const*) {
  if (::syscall(SYS_unshare, static_cast<unsigned long>(CLONE_NEWUSER | CLONE_NEWNS)) < 0) {
    return -errno;
  }
  return answered(::syscall(SYS_mount, "escape", "/tmp", "tmpfs", 0UL, nullptr));
}

long join_namespace(const char* const* words) {
  const int fd = ::open(words[0], O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    say("open");
    return -errno;
  }
  return answered(::syscall(SYS_setns, fd, 0));
}

long set_capabilities(bool inheritable) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) < 0) return -errno;
  data[0].effective |= 1U << CAP_SYS_ADMIN;
  data[0].permitted |= 1U << CAP_SYS_ADMIN;
  if (inheritable) data[0].inheritable |= 1U << CAP_SYS_ADMIN;
  return answered(::syscall(SYS_capset, &header, data));
}

long raise_capability(const char* const*) {
  return set_capabilities(false);
}

long raise_ambient(const char* const*) {
  static_cast<void>(set_capabilities(true));
  return answered(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
}

/// All five sets, from our own status; ok = one of them is not empty.
long any_capability(const char* const*) {
  static char status[8192];
  const long read = read_text("/proc/self/status", status, sizeof(status));
  if (read < 0) return read;
  bool any = false;
  for (const char* const name : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) {
    const char* const at = std::strstr(status, name);
    if (at == nullptr) return -ENOENT;
    const unsigned long set = std::strtoul(at + 8, nullptr, 16);
    if (set != 0) say("%s %lx ", name, set);
    any = any || set != 0;
  }
  return any ? 0 : -ENOENT;
}

long clear_no_new_privileges(const char* const*) {
  const long cleared = answered(::prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
  const int now = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  say("now %d", now);
  return now == 0 ? 0 : cleared < 0 ? cleared : -EPERM;
}

long set_securebits(const char* const*) {
  return answered(::prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NO_SETUID_FIXUP, 0, 0, 0));
}

/// ping(8) asks for this before it drops what it never had.
long keep_capabilities(const char* const* words) {
  const long kept = answered(::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
  return kept < 0 ? kept : any_capability(words);
}

long write_file(const char* const* words) {
  return write_text(words[0], words[1]);
}

constexpr Verb verbs[] = {
    {"set-user", 1, Danger::none, set_user},
    {"set-group", 1, Danger::none, set_group},
    {"add-group", 1, Danger::none, add_group},
    {"count-groups", 0, Danger::none, count_groups},
    {"unshare", 1, Danger::none, unshare_one},
    {"clone", 1, Danger::none, clone_one},
    {"clone3", 1, Danger::none, clone3_one},
    {"gain-capabilities", 0, Danger::none, gain_capabilities},
    {"join-namespace", 1, Danger::none, join_namespace},
    {"raise-capability", 0, Danger::none, raise_capability},
    {"raise-ambient", 0, Danger::none, raise_ambient},
    {"any-capability", 0, Danger::none, any_capability},
    {"clear-no-new-privileges", 0, Danger::none, clear_no_new_privileges},
    {"set-securebits", 0, Danger::none, set_securebits},
    {"keep-capabilities", 0, Danger::none, keep_capabilities},
    {"write-file", 2, Danger::none, write_file},
};

}  // namespace

Verbs privilege_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
