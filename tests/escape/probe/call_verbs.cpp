// System calls that a script has no use for. Those that change the whole machine get arguments with
// which even a privileged caller would change nothing.
#include "tests/escape/probe/verb.hpp"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace satellite::escape {
namespace {

long bpf_map(const char* const*) {
  unsigned attribute[32] = {2 /* array */, 4, 4, 1};
  return answered(::syscall(SYS_bpf, 0 /* BPF_MAP_CREATE */, attribute, 72U));
}

long perf(const char* const*) {
  perf_event_attr attribute{};
  attribute.type = PERF_TYPE_SOFTWARE;
  attribute.config = PERF_COUNT_SW_TASK_CLOCK;
  attribute.size = sizeof(attribute);
  attribute.exclude_kernel = 1;
  attribute.exclude_hv = 1;
  return answered(::syscall(SYS_perf_event_open, &attribute, 0, -1, -1, 0UL));
}

long userfaultfd(const char* const*) {
  return answered(::syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */));
}

long io_uring(const char* const*) {
  unsigned parameters[30] = {};
  return answered(::syscall(SYS_io_uring_setup, 4U, parameters));
}

long key_session(const char* const*) {
  return answered(::syscall(SYS_keyctl, 0 /* get id */, -3 /* session */, 1));
}

long key_add(const char* const* words) {
  return answered(::syscall(SYS_add_key, "user", words[0], "escape", 6UL, -4 /* user keyring */));
}

long key_search(const char* const* words) {
  return answered(
      ::syscall(SYS_keyctl, 10 /* search */, -4 /* user keyring */, "user", words[0], 0));
}

long key_request(const char* const* words) {
  return answered(::syscall(SYS_request_key, "user", words[0], nullptr, 0));
}

long module_load(const char* const*) {
  return answered(::syscall(SYS_init_module, nullptr, 0UL, ""));
}

long module_load_file(const char* const*) {
  return answered(::syscall(SYS_finit_module, -1, "", 0));
}

long module_remove(const char* const*) {
  return answered(::syscall(SYS_delete_module, "satellite-escape-no-such", O_NONBLOCK));
}

long kexec(const char* const*) {
  return answered(::syscall(SYS_kexec_load, 0UL, 0UL, nullptr, ~0UL));
}

long reboot(const char* const*) {
  return answered(::syscall(SYS_reboot, 0, 0, 0, nullptr));  // without the magic numbers
}

long swap_on(const char* const*) {
  return answered(::syscall(SYS_swapon, "/satellite-escape-no-such", 0));
}

long swap_off(const char* const*) {
  return answered(::syscall(SYS_swapoff, "/satellite-escape-no-such"));
}

long account(const char* const*) {
  return answered(::syscall(SYS_acct, "/satellite-escape-no-such"));
}

long quota(const char* const*) {
  return answered(
      ::syscall(SYS_quotactl, 0x800003 << 8, "/dev/satellite-escape-no-such", 0, nullptr));
}

/// The 32-bit door of the kernel, which a filter for 64-bit numbers does not see.
long old_entry(const char* const*) {
#if defined(__x86_64__)
  long result = 20;  // getpid
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  return result;
#else
  return -ENOSYS;
#endif
}

long old_entry_in_child(const char* const* words) {
  return in_child(old_entry, words);
}

long x32(const char* const*) {
#if defined(__x86_64__)
  return answered(::syscall(0x40000000L + SYS_getpid));
#else
  return -ENOSYS;
#endif
}

long x32_in_child(const char* const* words) {
  return in_child(x32, words);
}

long personality(const char* const*) {
  return answered(::syscall(SYS_personality, 0x0400000UL /* READ_IMPLIES_EXEC */));
}

/// Sets the clock to an impossible time: refused for its value, if not before.
long set_clock(const char* const*) {
  const timespec impossible{-1, -1};
  return answered(::syscall(SYS_clock_settime, CLOCK_REALTIME, &impossible));
}

long adjust_clock(const char* const*) {
  timex change{};
  change.modes = ADJ_TICK;
  change.tick = 1;  // out of range
  return answered(::syscall(SYS_adjtimex, &change));
}

long set_time_of_day(const char* const*) {
  const timespec impossible{-1, -1};
  return answered(::syscall(SYS_settimeofday, &impossible, nullptr));
}

long kernel_log(const char* const*) {
  static char text[4096];
  return answered(::syscall(SYS_syslog, 3 /* read all */, text, sizeof(text)));
}

/// A filter of our own that asks a listener: harmless to us, and a way around many a supervisor.
long filter_listener(const char* const*) {
  struct {
    unsigned short code;
    unsigned char jump_true, jump_false;
    unsigned value;
  } instruction{0x06, 0, 0, SECCOMP_RET_ALLOW};
  const struct {
    unsigned short length;
    void* filter;
  } program{1, &instruction};
  return answered(
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

long port_permission(const char* const*) {
#if defined(__x86_64__)
  return answered(::syscall(SYS_ioperm, 0x80UL, 1UL, 1));
#else
  return -ENOSYS;
#endif
}

long port_level(const char* const*) {
#if defined(__x86_64__)
  return answered(::syscall(SYS_iopl, 3));
#else
  return -ENOSYS;
#endif
}

long host_name(const char* const*) {
  return answered(::syscall(SYS_sethostname, "escaped", 7UL));
}

long negative_nice(const char* const*) {
  return answered(::syscall(SYS_setpriority, 0, 0, -20));
}

long real_time(const char* const*) {
  const int priority = 1;
  return answered(::syscall(SYS_sched_setscheduler, 0, 1 /* FIFO */, &priority));
}

long lock_memory(const char* const*) {
  return answered(::syscall(SYS_mlockall, 1));
}

/// Whether addresses of the kernel are shown; ok = one is not zero.
long kernel_addresses(const char* const*) {
  static char text[4096];
  const long read = read_text("/proc/kallsyms", text, sizeof(text));
  if (read < 0) return read;
  if (read == 0) return -ENODATA;
  for (char* line = std::strtok(text, "\n"); line != nullptr; line = std::strtok(nullptr, "\n")) {
    if (std::strtoul(line, nullptr, 16) != 0) return 0;
  }
  return -EPERM;
}

constexpr Verb verbs[] = {
    {"bpf", 0, Danger::none, bpf_map},
    {"perf", 0, Danger::none, perf},
    {"userfaultfd", 0, Danger::none, userfaultfd},
    {"io-uring", 0, Danger::none, io_uring},
    {"key-session", 0, Danger::none, key_session},
    {"key-add", 1, Danger::none, key_add},
    {"key-search", 1, Danger::none, key_search},
    {"key-request", 1, Danger::none, key_request},
    {"module-load", 0, Danger::none, module_load},
    {"module-load-file", 0, Danger::none, module_load_file},
    {"module-remove", 0, Danger::none, module_remove},
    {"kexec", 0, Danger::none, kexec},
    {"reboot", 0, Danger::none, reboot},
    {"swap-on", 0, Danger::none, swap_on},
    {"swap-off", 0, Danger::none, swap_off},
    {"account", 0, Danger::none, account},
    {"quota", 0, Danger::none, quota},
    {"old-entry", 0, Danger::none, old_entry_in_child},
    {"x32-entry", 0, Danger::none, x32_in_child},
    {"personality", 0, Danger::none, personality},
    {"set-clock", 0, Danger::none, set_clock},
    {"adjust-clock", 0, Danger::none, adjust_clock},
    {"set-time-of-day", 0, Danger::none, set_time_of_day},
    {"kernel-log", 0, Danger::none, kernel_log},
    {"filter-listener", 0, Danger::none, filter_listener},
    {"port-permission", 0, Danger::none, port_permission},
    {"port-level", 0, Danger::none, port_level},
    {"host-name", 0, Danger::other, host_name},
    {"negative-nice", 0, Danger::none, negative_nice},
    {"real-time", 0, Danger::none, real_time},
    {"lock-memory", 0, Danger::none, lock_memory},
    {"kernel-addresses", 0, Danger::none, kernel_addresses},
};

}  // namespace

Verbs call_verbs() {
  return {verbs, sizeof(verbs) / sizeof(verbs[0])};
}

}  // namespace satellite::escape
