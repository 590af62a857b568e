#include "tests/escape/probe/verb.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace satellite::escape {
namespace {

pid_t number(const char* word) {
  return static_cast<pid_t>(std::strtol(word, nullptr, 10));
}

long see_process(const char* const* words) {
  return answered(::kill(number(words[0]), 0));
}

long send_signal(const char* const* words) {
  return answered(::kill(number(words[0]), number(words[1])));
}

/// Everything we may signal, but for ourselves.
long kill_all(const char* const*) {
  return answered(::kill(-1, SIGKILL));
}

long attach(const char* const* words) {
  const long result = answered(::ptrace(PTRACE_SEIZE, number(words[0]), nullptr, nullptr));
  if (result >= 0) ::ptrace(PTRACE_DETACH, number(words[0]), nullptr, nullptr);
  return result;
}

pid_t paused_child() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  return child;
}

void end_child(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

long attach_child(const char* const*) {
  const pid_t child = paused_child();
  if (child < 0) return -errno;
  const long result = answered(::ptrace(PTRACE_SEIZE, child, nullptr, nullptr));
  end_child(child);
  return result;
}

char readable_byte = 'x';

long read_memory_of(pid_t process, const void* address) {
  char byte = 0;
  const iovec local{&byte, 1};
  const iovec remote{const_cast<void*>(address), 1};
  return answered(::process_vm_readv(process, &local, 1, &remote, 1, 0));
}

long read_memory(const char* const* words) {
  return read_memory_of(number(words[0]), &readable_byte);
}

long read_childs_memory(const char* const*) {
  const pid_t child = paused_child();
  if (child < 0) return -errno;
  const long result = read_memory_of(child, &readable_byte);
  end_child(child);
  return result;
}

long steal_descriptor_of(pid_t process, int fd) {
  const long pidfd = ::syscall(SYS_pidfd_open, process, 0U);
  if (pidfd < 0) {
    say("pidfd_open");
    return -errno;
  }
  return answered(::syscall(SYS_pidfd_getfd, pidfd, fd, 0U));
}

long steal_descriptor(const char* const* words) {
  return steal_descriptor_of(number(words[0]), number(words[1]));
}

long steal_childs_descriptor(const char* const*) {
  const pid_t child = paused_child();
  if (child < 0) return -errno;
  const long result = steal_descriptor_of(child, 1);
  end_child(child);
  return result;
}

long compare_processes(const char* const*) {
  const pid_t child = paused_child();
  if (child < 0) return -errno;
  const long result = answered(::syscall(SYS_kcmp, ::getpid(), child, 0, 1UL, 1UL));
  end_child(child);
  return result;
}

/// Other processes' priority, scheduler, limits, affinity: all of these take a pid.
long change_limits(const char* const* words) {
  return answered(::syscall(SYS_prlimit64, number(words[0]), RLIMIT_NOFILE, nullptr, nullptr));
}

/// Takes a process all of its processor time but what nobody else wants.
long slow_down(const char* const* words) {
  return answered(::setpriority(PRIO_PROCESS, static_cast<id_t>(number(words[0])), 19));
}

/// Lets a process open nothing any more; same user is all the kernel asks for.
long limit_other(const char* const* words) {
  const rlimit64 none{4, 4};
  return answered(::syscall(SYS_prlimit64, number(words[0]), RLIMIT_NOFILE, &none, nullptr));
}

/// Raises a hard limit that was set for us.
long raise_limit(const char* const*) {
  rlimit now{};
  if (::getrlimit(RLIMIT_NOFILE, &now) < 0) return -errno;
  say("hard %lu", now.rlim_max);
  now.rlim_max += 1;
  return answered(::setrlimit(RLIMIT_NOFILE, &now));
}

/// Processes that /proc shows; ok = more than the few of our own run.
long count_processes(const char* const* words) {
  DIR* const listing = ::opendir("/proc");
  if (listing == nullptr) return -errno;
  long count = 0;
  while (const dirent* const entry = ::readdir(listing)) {
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') ++count;
  }
  ::closedir(listing);
  say("%ld processes", count);
  return count > number(words[0]) ? count : -ESRCH;
}

/// Descriptors above standard error; ok = there is one.
long inherited_descriptors(const char* const*) {
  DIR* const listing = ::opendir("/proc/self/fd");
  if (listing == nullptr) return -errno;
  long count = 0;
  while (const dirent* const entry = ::readdir(listing)) {
    const int fd = std::atoi(entry->d_name);
    if (fd <= 2 || fd == ::dirfd(listing)) continue;
    ++count;
    char path[300], target[256] = {};
    std::snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
    static_cast<void>(::readlink(path, target, sizeof(target) - 1));
    say("%d=%s ", fd, target);
  }
  ::closedir(listing);
  return count > 0 ? count : -EBADF;
}

/// Blocked and ignored signals that somebody left us; ok = there is one.
long inherited_signals(const char* const*) {
  static char status[8192];
  const long read = read_text("/proc/self/status", status, sizeof(status));
  if (read < 0) return read;
  bool any = false;
  for (const char* const name : {"SigBlk:\t", "SigIgn:\t"}) {
    const char* const at = std::strstr(status, name);
    if (at == nullptr) return -ENOENT;
    const unsigned long set = std::strtoul(at + std::strlen(name), nullptr, 16);
    say("%.6s %lx ", name, set);
    any = any || set != 0;
  }
  return any ? 0 : -ENOENT;
}

/// Looks through a run's init for what it holds: its program, files, memory, environment.
long look_into(const char* const* words) {
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/%s/%s", words[0], words[1]);
  if (std::strcmp(words[1], "fd") == 0) {
    DIR* const listing = ::opendir(path);
    if (listing == nullptr) return -errno;
    ::closedir(listing);
    return 0;
  }
  char target[256] = {};
  if (std::strcmp(words[1], "mem") == 0 || std::strcmp(words[1], "environ") == 0 ||
      std::strcmp(words[1], "maps") == 0) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    const long got = answered(::read(fd, target, 16));
    ::close(fd);
    // init has no environment of its own: nothing to read is nothing learnt
    return got == 0 ? -ENODATA : got == -EIO ? 0 : got;
  }
  const long result = answered(::readlink(path, target, sizeof(target) - 1));
  say("%s", target);
  return result;
}

/// Writes to a process's core settings: who is killed first, what is dumped.
long lower_oom_score(const char* const*) {
  return write_text("/proc/self/oom_score_adj", "-1000");
}

constexpr Verb verbs[] = {
    {"see-process", 1, Danger::none, see_process},
    {"send-signal", 2, Danger::other, send_signal},
    {"kill-all", 0, Danger::other, kill_all},
    {"attach", 1, Danger::other, attach},
    {"attach-child", 0, Danger::none, attach_child},
    {"read-memory", 1, Danger::none, read_memory},
    {"read-memory-of-child", 0, Danger::none, read_childs_memory},
    {"steal-descriptor", 2, Danger::none, steal_descriptor},
    {"steal-descriptor-of-child", 0, Danger::none, steal_childs_descriptor},
    {"compare-processes", 0, Danger::none, compare_processes},
    {"limits-of", 1, Danger::none, change_limits},
    {"slow-down", 1, Danger::other, slow_down},
    {"limit", 1, Danger::other, limit_other},
    {"raise-limit", 0, Danger::none, raise_limit},
    {"count-processes", 1, Danger::none, count_processes},
    {"inherited-descriptors", 0, Danger::none, inherited_descriptors},
    {"inherited-signals", 0, Danger::none, inherited_signals},
    {"look-into", 2, Danger::none, look_into},
    {"lower-oom-score", 0, Danger::none, lower_oom_score},
};

}  // namespace

Verbs process_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
