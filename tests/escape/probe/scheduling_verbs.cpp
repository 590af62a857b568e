// How init and other processes are scheduled: whoever has their user may say so, and init has the
// script's.
#include "tests/escape/probe/verb.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace satellite::escape {
namespace {

constexpr int who_process = 1, who_group = 2, who_user = 3;  // IOPRIO_WHO_*
constexpr long lowest_best_effort = (2L << 13) | 7;          // IOPRIO_CLASS_BE, its last level
constexpr long share_to = 2;                                 // PR_SCHED_CORE_SHARE_TO

struct Attribute {
  unsigned size = 48, policy = 0;
  unsigned long flags = 0;
  int nice = 0;
  unsigned priority = 0;
  unsigned long runtime = 0, deadline = 0, period = 0;
};

bool is(const char* word, const char* name) {
  return std::strcmp(word, name) == 0;
}

/// Nothing is changed but to what costs the target its processor time.
long slow_by(const char* call, long target) {
  const sched_param none{};
  Attribute idle;
  idle.policy = SCHED_IDLE;
  cpu_set_t processors;
  CPU_ZERO(&processors);
  if (is(call, "setscheduler")) return ::syscall(SYS_sched_setscheduler, target, SCHED_IDLE, &none);
  if (is(call, "setparam")) return ::syscall(SYS_sched_setparam, target, &none);
  if (is(call, "setattr")) return ::syscall(SYS_sched_setattr, target, &idle, 0U);
  if (is(call, "setaffinity")) {
    ::sched_getaffinity(0, sizeof(processors), &processors);
    return ::syscall(SYS_sched_setaffinity, target, sizeof(processors), &processors);
  }
  if (is(call, "priority")) return ::syscall(SYS_setpriority, PRIO_PROCESS, target, 19);
  if (is(call, "priority-of-group")) return ::syscall(SYS_setpriority, PRIO_PGRP, target, 19);
  if (is(call, "priority-of-user")) return ::syscall(SYS_setpriority, PRIO_USER, target, 19);
  if (is(call, "io")) return ::syscall(SYS_ioprio_set, who_process, target, lowest_best_effort);
  if (is(call, "io-of-group")) {
    return ::syscall(SYS_ioprio_set, who_group, target, lowest_best_effort);
  }
  if (is(call, "io-of-user")) {
    return ::syscall(SYS_ioprio_set, who_user, target, lowest_best_effort);
  }
  if (is(call, "core")) return ::prctl(PR_SCHED_CORE, share_to, target, 0, 0);
  errno = EINVAL;
  return -1;
}

/// schedule CALL TARGET; 0 is the caller itself.
long schedule(const char* const* words) {
  return answered(slow_by(words[0], std::strtol(words[1], nullptr, 10)));
}

long schedule_in_child(const char* const* words) {
  return in_child(schedule, words);
}

/// A runtime's own thread, which it names by its number as pthread_setaffinity_np(3) does.
void* wait_to_be_scheduled(void* number) {
  __atomic_store_n(static_cast<long*>(number), ::syscall(SYS_gettid), __ATOMIC_SEQ_CST);
  for (;;) ::pause();
}

long schedule_thread(const char* const* words) {
  long number = 0;
  pthread_t thread;
  if (::pthread_create(&thread, nullptr, wait_to_be_scheduled, &number) != 0) return -EAGAIN;
  while (__atomic_load_n(&number, __ATOMIC_SEQ_CST) == 0) ::sched_yield();
  return answered(slow_by(words[0], number));
}

/// Takes init everything that it needs to end us, and then all processors for itself.
long starve(const char* const*) {
  for (const char* const call :
       {"setscheduler", "setparam", "setattr", "setaffinity", "priority", "io", "core"}) {
    slow_by(call, 1);
  }
  for (const char* const call : {"priority-of-user", "io-of-user"}) {
    slow_by(call, 0);
    slow_by(call, static_cast<long>(::getuid()));
  }
  constexpr int busy_processes = 200;
  for (int i = 0; i < busy_processes && ::fork() != 0; ++i) {
  }
  for (;;) {
  }
}

constexpr Verb verbs[] = {
    {"schedule", 2, Danger::other, schedule_in_child},
    {"schedule-thread", 1, Danger::other, schedule_thread},
    {"starve", 0, Danger::other, starve},
};

}  // namespace

Verbs scheduling_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
