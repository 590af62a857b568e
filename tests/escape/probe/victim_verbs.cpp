// What is done to a process of the same user that the harness started for it: everything that the
// kernel lets a user do to others of his, by calls and by their files in /proc.
#include "tests/escape/probe/verb.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace satellite::escape {
namespace {

constexpr int who_process = 1;                       // IOPRIO_WHO_PROCESS
constexpr long lowest_best_effort = (2L << 13) | 7;  // IOPRIO_CLASS_BE, its last level

bool is(const char* word, const char* name) {
  return std::strcmp(word, name) == 0;
}

/// By a signal that a process ignores unless it asks for it.
long signal_by(const char* call, pid_t victim) {
  constexpr int harmless = SIGURG;
  siginfo_t info{};
  info.si_signo = harmless;
  info.si_code = SI_QUEUE;
  info.si_pid = ::getpid();
  info.si_uid = ::getuid();
  if (is(call, "signal")) return ::kill(victim, harmless);
  if (is(call, "signal-thread")) return ::syscall(SYS_tgkill, victim, victim, harmless);
  if (is(call, "signal-queued")) return ::syscall(SYS_rt_sigqueueinfo, victim, harmless, &info);
  if (is(call, "signal-queued-to-thread")) {
    return ::syscall(SYS_rt_tgsigqueueinfo, victim, victim, harmless, &info);
  }
  char path[64];
  std::snprintf(path, sizeof(path), "/proc/%d", victim);
  const long handle = is(call, "signal-by-handle")
                          ? ::syscall(SYS_pidfd_open, victim, 0U)
                          : ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return handle;
  return ::syscall(SYS_pidfd_send_signal, handle, harmless, nullptr, 0U);
}

/// The kernel sends it in our name when the pipe can be read; whether it arrived only the harness
/// sees.
long signal_by_kernel(pid_t victim) {
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  if (::fcntl(ends[0], F_SETOWN, victim) != 0 || ::fcntl(ends[0], F_SETSIG, SIGKILL) != 0 ||
      ::fcntl(ends[0], F_SETFL, O_ASYNC) != 0) {
    return -1;
  }
  return ::write(ends[1], "x", 1);
}

char byte_of_ours = 'x';

long touch_memory(const char* call, pid_t victim) {
  char byte = 0;
  const iovec local{&byte, 1}, remote{&byte_of_ours, 1};
  const long result = is(call, "read-memory")
                          ? ::process_vm_readv(victim, &local, 1, &remote, 1, 0)
                          : ::process_vm_writev(victim, &local, 1, &remote, 1, 0);
  // The address is one of ours: that nothing is there was looked at all the same.
  return result < 0 && errno == EFAULT ? 0 : result;
}

long by_handle(const char* call, pid_t victim) {
  const long handle = ::syscall(SYS_pidfd_open, victim, 0U);
  if (handle < 0) return handle;
  if (is(call, "steal-descriptor")) return ::syscall(SYS_pidfd_getfd, handle, 0, 0U);
  return ::syscall(SYS_setns, handle, CLONE_NEWUTS);
}

long schedule(const char* call, pid_t victim) {
  const sched_param none{};
  cpu_set_t processors;
  CPU_ZERO(&processors);
  ::sched_getaffinity(0, sizeof(processors), &processors);
  if (is(call, "scheduler")) return ::syscall(SYS_sched_setscheduler, victim, SCHED_IDLE, &none);
  if (is(call, "affinity")) {
    return ::syscall(SYS_sched_setaffinity, victim, sizeof(processors), &processors);
  }
  if (is(call, "priority")) return ::setpriority(PRIO_PROCESS, static_cast<id_t>(victim), 19);
  if (is(call, "priority-of-user")) return ::setpriority(PRIO_USER, ::getuid(), 19);
  return ::syscall(SYS_ioprio_set, who_process, victim, lowest_best_effort);
}

long call_on(const char* call, pid_t victim) {
  if (std::strncmp(call, "signal", 6) == 0) return signal_by(call, victim);
  if (is(call, "killed-by-kernel")) return signal_by_kernel(victim);
  if (is(call, "read-memory") || is(call, "write-memory")) return touch_memory(call, victim);
  if (is(call, "steal-descriptor") || is(call, "join")) return by_handle(call, victim);
  if (is(call, "trace")) {
    const long result = ::ptrace(PTRACE_SEIZE, victim, nullptr, nullptr);
    if (result >= 0) ::ptrace(PTRACE_DETACH, victim, nullptr, nullptr);
    return result;
  }
  if (is(call, "compare")) return ::syscall(SYS_kcmp, ::getpid(), victim, 2, 0UL, 0UL);
  if (is(call, "locks")) {
    void* head = nullptr;
    std::size_t size = 0;
    return ::syscall(SYS_get_robust_list, victim, &head, &size);
  }
  if (is(call, "limit")) {
    const rlimit64 few{64, 64};
    return ::syscall(SYS_prlimit64, victim, RLIMIT_NOFILE, &few, nullptr);
  }
  return schedule(call, victim);
}

/// on-victim PID CALL
long on_victim(const char* const* words) {
  return answered(call_on(words[1], std::atoi(words[0])));
}

/// read-of-victim PID FILE: a directory is listed, a link is read, of a file a byte.
long read_of_victim(const char* const* words) {
  char path[128], target[256] = {};
  std::snprintf(path, sizeof(path), "/proc/%s/%s", words[0], words[1]);
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -errno;
  if (DIR* const listing = ::fdopendir(fd)) {
    errno = 0;
    const dirent* entry = ::readdir(listing);
    while (entry != nullptr && entry->d_name[0] == '.') entry = ::readdir(listing);
    return entry != nullptr ? 0 : errno != 0 ? -errno : -ENODATA;
  }
  const ssize_t got = ::read(fd, target, 1);
  // Of its memory nothing lies at the first address; it could be looked at.
  if (got < 0 && errno == EIO) return 0;
  return got == 0 ? -ENODATA : answered(got);
}

/// link-of-victim PID NAME: where it leads.
long link_of_victim(const char* const* words) {
  char path[128], target[256] = {};
  std::snprintf(path, sizeof(path), "/proc/%s/%s", words[0], words[1]);
  const long result = answered(::readlink(path, target, sizeof(target) - 1));
  say("%s", target);
  return result;
}

/// write-of-victim PID FILE TEXT
long write_of_victim(const char* const* words) {
  char path[128];
  std::snprintf(path, sizeof(path), "/proc/%s/%s", words[0], words[1]);
  return write_text(path, words[2]);
}

constexpr Verb verbs[] = {
    {"on-victim", 2, Danger::victim, on_victim},
    {"read-of-victim", 2, Danger::victim, read_of_victim},
    {"link-of-victim", 2, Danger::victim, link_of_victim},
    {"write-of-victim", 3, Danger::victim, write_of_victim},
};

}  // namespace

Verbs victim_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
