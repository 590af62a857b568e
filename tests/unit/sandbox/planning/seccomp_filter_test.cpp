#include "sandbox/planning/seccomp_filter.hpp"

#include "unit/sandbox/planning/bpf_interpreter.hpp"

#include <asm/unistd.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <catch2/catch.hpp>
#include <cerrno>
#include <initializer_list>

using namespace satellite::sandbox;
using namespace satellite::sandbox::test;

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t own_architecture = AUDIT_ARCH_X86_64;
#else
constexpr std::uint32_t own_architecture = AUDIT_ARCH_AARCH64;
#endif

constexpr std::uint32_t allowed = SECCOMP_RET_ALLOW;
constexpr std::uint32_t error(int number) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(number);
}

std::uint32_t verdict_of(const std::vector<sock_filter>& program, long number,
                         std::initializer_list<std::uint64_t> arguments,
                         std::uint32_t architecture = own_architecture) {
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = architecture;
  std::size_t i = 0;
  for (const auto argument : arguments) data.args[i++] = argument;
  const auto answer = interpret(program, data);
  REQUIRE(answer.has_value());
  return *answer;
}

std::uint32_t verdict(long number, std::initializer_list<std::uint64_t> arguments = {},
                      std::uint32_t architecture = own_architecture) {
  static const auto program = script_seccomp_filter();
  return verdict_of(program, number, arguments, architecture);
}

constexpr std::uint64_t high_bit = 1ULL << 32U;  // of an argument that the kernel cuts to 32 bits

}  // namespace

TEST_CASE("what every script does is allowed") {
  for (const long number : {__NR_read,
                            __NR_write,
                            __NR_openat,
                            __NR_execve,
                            __NR_execveat,
                            __NR_exit_group,
                            __NR_mmap,
                            __NR_kill,
                            __NR_wait4,
                            __NR_rt_sigprocmask,
                            __NR_pipe2,
                            __NR_dup3,
                            __NR_connect,
                            __NR_bind,
                            __NR_setuid,
                            __NR_prctl,
                            __NR_futex,
                            __NR_getrandom,
                            __NR_memfd_create,
                            __NR_statx,
                            __NR_rseq,
                            __NR_pidfd_open,
                            __NR_close_range,
                            __NR_faccessat2,
                            __NR_landlock_create_ruleset,
                            __NR_landlock_restrict_self,
                            __NR_fchmodat,
                            __NR_mknodat}) {
    CAPTURE(number);
    CHECK(verdict(number) == allowed);
  }
}

TEST_CASE("calls that look after no host are refused with EPERM") {
  for (const long number : {__NR_unshare,
                            __NR_setns,
                            __NR_mount,
                            __NR_umount2,
                            __NR_pivot_root,
                            __NR_chroot,
                            __NR_fsopen,
                            __NR_fsconfig,
                            __NR_fsmount,
                            __NR_fspick,
                            __NR_open_tree,
                            __NR_move_mount,
                            __NR_mount_setattr,
                            __NR_bpf,
                            __NR_perf_event_open,
                            __NR_userfaultfd,
                            __NR_fanotify_init,
                            __NR_keyctl,
                            __NR_add_key,
                            __NR_request_key,
                            __NR_ptrace,
                            __NR_process_vm_readv,
                            __NR_process_vm_writev,
                            __NR_pidfd_getfd,
                            __NR_kcmp,
                            __NR_process_madvise,
                            __NR_init_module,
                            __NR_finit_module,
                            __NR_delete_module,
                            __NR_kexec_load,
                            __NR_kexec_file_load,
                            __NR_reboot,
                            __NR_swapon,
                            __NR_swapoff,
                            __NR_acct,
                            __NR_quotactl,
                            __NR_syslog,
                            __NR_open_by_handle_at,
                            __NR_name_to_handle_at,
                            __NR_settimeofday,
                            __NR_clock_settime,
                            __NR_adjtimex,
                            __NR_clock_adjtime,
                            __NR_sethostname,
                            __NR_setdomainname}) {
    CAPTURE(number);
    CHECK(verdict(number) == error(EPERM));
  }
}

TEST_CASE("calls that programs can do without do not exist") {
  for (const long number : {__NR_clone3, __NR_io_uring_setup, __NR_io_uring_enter,
                            __NR_io_uring_register, __NR_openat2, __NR_io_setup}) {
    CAPTURE(number);
    CHECK(verdict(number) == error(ENOSYS));
  }
}

TEST_CASE("calls younger than the list and foreign numbers do not exist") {
  CHECK(verdict(462) == allowed);  // mseal(2), the last one known
  for (const long number : {463L, 467L, 500L, 0x4000'0000L, 0x4000'0000L + __NR_mount, -1L}) {
    CAPTURE(number);
    CHECK(verdict(number) == error(ENOSYS));
  }
}

TEST_CASE("a foreign architecture kills, whatever the number") {
  for (const std::uint32_t architecture :
       std::initializer_list<std::uint32_t>{AUDIT_ARCH_I386, AUDIT_ARCH_ARM, 0, 0xffff'ffff}) {
    for (const long number : {0L, 1L, 102L, 165L}) {
      CHECK(verdict(number, {}, architecture) == SECCOMP_RET_KILL_PROCESS);
    }
  }
}

TEST_CASE("processes and threads may be made, namespaces not, with whatever other flags") {
  constexpr std::uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
  CHECK(verdict(__NR_clone, {17}) == allowed);
  CHECK(verdict(__NR_clone, {thread}) == allowed);
  for (const std::uint64_t flag : std::initializer_list<std::uint64_t>{
           CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID,
           CLONE_NEWNET}) {
    CAPTURE(flag);
    CHECK(verdict(__NR_clone, {flag}) == error(EPERM));
    CHECK(verdict(__NR_clone, {flag | 17 | high_bit}) == error(EPERM));
  }
}

TEST_CASE("nothing can be typed into a terminal, not even with bits that nobody reads") {
  CHECK(verdict(__NR_ioctl, {0, TIOCGWINSZ}) == allowed);
  CHECK(verdict(__NR_ioctl, {0, FIONREAD}) == allowed);
  for (const std::uint64_t command :
       std::initializer_list<std::uint64_t>{std::uint64_t{TIOCSTI}, std::uint64_t{TIOCLINUX}}) {
    CHECK(verdict(__NR_ioctl, {0, command}) == error(EPERM));
    CHECK(verdict(__NR_ioctl, {0, command | high_bit}) == error(EPERM));
    CHECK(verdict(__NR_ioctl, {0, command | ~0ULL << 32U}) == error(EPERM));
  }
}

TEST_CASE("sockets are of the usual families, kinds and protocols") {
  struct Row {
    std::uint64_t family, type, protocol;
    std::uint32_t expected;
  };
  constexpr std::uint64_t flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
  const Row rows[] = {
      {AF_UNIX, SOCK_STREAM, 0, allowed},
      {AF_UNIX, SOCK_SEQPACKET | flags, 0, allowed},
      {AF_INET, SOCK_STREAM | flags, 0, allowed},
      {AF_INET, SOCK_STREAM, 6, allowed},
      {AF_INET, SOCK_DGRAM, 17, allowed},
      {AF_INET, SOCK_DGRAM, 1, allowed},
      {AF_INET6, SOCK_DGRAM, 58, allowed},
      {AF_INET6 | high_bit, SOCK_STREAM, 0, allowed},
      {AF_NETLINK, SOCK_RAW | flags, 0, allowed},
      {AF_NETLINK, SOCK_DGRAM, 0, allowed},
      {AF_NETLINK, SOCK_RAW, 12, error(EAFNOSUPPORT)},  // netfilter
      {AF_NETLINK, SOCK_RAW, 9, error(EAFNOSUPPORT)},   // audit
      {AF_INET, SOCK_RAW, 1, error(EPERM)},
      {AF_INET, SOCK_RAW | flags, 0, error(EPERM)},
      {AF_INET6, SOCK_RAW, 58, error(EPERM)},
      {AF_INET, SOCK_PACKET, 0, error(EPERM)},
      {AF_INET, SOCK_SEQPACKET, 132, error(EPERM)},
      {AF_INET, SOCK_STREAM, 132, error(EPROTONOSUPPORT)},  // SCTP
      {AF_INET, SOCK_STREAM, 262, error(EPROTONOSUPPORT)},  // MPTCP
      {AF_INET, SOCK_STREAM, 255, error(EPROTONOSUPPORT)},
      {AF_PACKET, SOCK_DGRAM, 0, error(EAFNOSUPPORT)},
      {AF_VSOCK, SOCK_STREAM, 0, error(EAFNOSUPPORT)},
      {AF_ALG, SOCK_SEQPACKET, 0, error(EAFNOSUPPORT)},
      {AF_KEY, SOCK_DGRAM, 2, error(EAFNOSUPPORT)},
      {AF_BLUETOOTH, SOCK_STREAM, 0, error(EAFNOSUPPORT)},
      {AF_ALG | high_bit, SOCK_SEQPACKET, 0, error(EAFNOSUPPORT)},
      {AF_XDP, SOCK_STREAM, 0, error(EAFNOSUPPORT)},
      {0, 0, 0, error(EAFNOSUPPORT)},
  };
  for (const Row& row : rows) {
    CAPTURE(row.family, row.type, row.protocol);
    CHECK(verdict(__NR_socket, {row.family, row.type, row.protocol}) == row.expected);
  }
}

TEST_CASE("a pair of sockets is of the unix family") {
  CHECK(verdict(__NR_socketpair, {AF_UNIX, SOCK_STREAM, 0}) == allowed);
  CHECK(verdict(__NR_socketpair, {AF_TIPC, SOCK_STREAM, 0}) != allowed);
}

TEST_CASE("no socket may have an address that is not its host's or name stations on the way") {
  const auto option = [](std::uint64_t level, std::uint64_t number) {
    return verdict(__NR_setsockopt, {3, level, number});
  };
  CHECK(option(IPPROTO_IP, IP_FREEBIND) == error(EPERM));
  CHECK(option(IPPROTO_IP, IP_TRANSPARENT) == error(EPERM));
  CHECK(option(IPPROTO_IPV6, IPV6_FREEBIND) == error(EPERM));
  CHECK(option(IPPROTO_IPV6, IPV6_TRANSPARENT) == error(EPERM));
  CHECK(option(IPPROTO_IPV6 | high_bit, IPV6_FREEBIND | high_bit) == error(EPERM));
  CHECK(option(IPPROTO_IP, IP_OPTIONS) == error(EPERM));
  CHECK(option(IPPROTO_IPV6, IPV6_RTHDR) == error(EPERM));
  CHECK(option(IPPROTO_IPV6, IPV6_2292PKTOPTIONS) == error(EPERM));
  CHECK(option(IPPROTO_IP, IP_TTL) == allowed);
  CHECK(option(IPPROTO_IP, IPV6_RTHDR) == allowed);
  CHECK(option(IPPROTO_IPV6, IP_OPTIONS) == allowed);
  CHECK(option(IPPROTO_IPV6, IPV6_RECVRTHDR) == allowed);
  CHECK(option(IPPROTO_IP, IPV6_FREEBIND) == allowed);
  CHECK(option(IPPROTO_IPV6, IPV6_V6ONLY) == allowed);
  CHECK(option(IPPROTO_IPV6, IP_FREEBIND) == allowed);
  CHECK(option(SOL_SOCKET, IP_FREEBIND) == allowed);  // SO_REUSEPORT
  CHECK(option(SOL_SOCKET, SO_REUSEADDR) == allowed);
}

TEST_CASE("how init is scheduled is not for scripts to say, all other processes are theirs") {
  for (const long number :
       {__NR_sched_setscheduler, __NR_sched_setparam, __NR_sched_setattr, __NR_sched_setaffinity}) {
    CAPTURE(number);
    CHECK(verdict(number, {1}) == error(EPERM));
    CHECK(verdict(number, {1 | high_bit}) == error(EPERM));
    for (const std::uint64_t other : std::initializer_list<std::uint64_t>{0, 2, 4711})
      CHECK(verdict(number, {other}) == allowed);
  }
  CHECK(verdict(__NR_setpriority, {PRIO_PROCESS, 1, 19}) == error(EPERM));
  CHECK(verdict(__NR_setpriority, {PRIO_PROCESS | high_bit, 1 | high_bit, 19}) == error(EPERM));
  CHECK(verdict(__NR_setpriority, {PRIO_PROCESS, 0, 19}) == allowed);
  CHECK(verdict(__NR_setpriority, {PRIO_PROCESS, 2, 19}) == allowed);
  CHECK(verdict(__NR_setpriority, {PRIO_PGRP, 0, 19}) == allowed);
  for (const std::uint64_t user : std::initializer_list<std::uint64_t>{0, 1, 65'532}) {
    CHECK(verdict(__NR_setpriority, {PRIO_USER, user, 19}) == error(EPERM));
    CHECK(verdict(__NR_setpriority, {PRIO_USER | high_bit, user, 19}) == error(EPERM));
    CHECK(verdict(__NR_ioprio_set, {3, user, 7}) == error(EPERM));
  }
  CHECK(verdict(__NR_ioprio_set, {1, 1, 7}) == error(EPERM));
  CHECK(verdict(__NR_ioprio_set, {1, 0, 7}) == allowed);
  CHECK(verdict(__NR_ioprio_set, {1, 2, 7}) == allowed);
  CHECK(verdict(__NR_ioprio_set, {2, 0, 7}) == allowed);
  CHECK(verdict(__NR_sched_getaffinity, {1}) == allowed);
  CHECK(verdict(__NR_getpriority, {PRIO_USER, 0}) == allowed);
}

TEST_CASE("no file gets a set-user-id or set-group-id bit, whichever call sets its mode") {
  struct Row {
    long number;
    std::size_t index;  // of the mode
  };
  const Row rows[] = {
#if defined(__x86_64__)
    {__NR_chmod, 1},
    {__NR_creat, 1},
    {__NR_mknod, 1},
#endif
    {__NR_fchmod, 1},
    {__NR_fchmodat, 2},
    {452, 2},
    {__NR_mknodat, 2}
  };
  for (const Row& row : rows) {
    const auto with = [&row](std::uint64_t mode) {
      return row.index == 1 ? verdict(row.number, {0, mode}) : verdict(row.number, {0, 0, mode});
    };
    CAPTURE(row.number);
    for (const std::uint64_t mode :
         std::initializer_list<std::uint64_t>{0, 0644, 0755, 01777, 0777})
      CHECK(with(mode) == allowed);
    for (const std::uint64_t mode :
         std::initializer_list<std::uint64_t>{04755, 02755, 06755, 04000, 07777}) {
      CHECK(with(mode) == error(EPERM));
      CHECK(with(mode | high_bit) == error(EPERM));
    }
  }
}

TEST_CASE("open looks at a mode only where it makes a file") {
  const auto open_at = [](std::uint64_t flags, std::uint64_t mode) {
    return verdict(__NR_openat, {0, 0, flags, mode});
  };
  for (const std::uint64_t making : std::initializer_list<std::uint64_t>{
           O_CREAT, O_CREAT | O_EXCL | O_CLOEXEC, O_TMPFILE | O_RDWR}) {
    CHECK(open_at(making, 04755) == error(EPERM));
    CHECK(open_at(making, 02644) == error(EPERM));
    CHECK(open_at(making | high_bit, 06755 | high_bit) == error(EPERM));
    CHECK(open_at(making, 01755) == allowed);
#if defined(__x86_64__)
    CHECK(verdict(__NR_open, {0, making, 04755}) == error(EPERM));
    CHECK(verdict(__NR_open, {0, making, 0755}) == allowed);
#endif
  }
  for (const std::uint64_t reading :
       std::initializer_list<std::uint64_t>{O_RDONLY, O_DIRECTORY | O_CLOEXEC, O_RDWR | O_TRUNC}) {
    CHECK(open_at(reading, 07777) == allowed);
  }
}

TEST_CASE("pages of the host's pool are not given out, all other memory is") {
  CHECK(verdict(__NR_mmap, {0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB}) ==
        error(ENOMEM));
  CHECK(verdict(__NR_mmap, {0, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE}) == allowed);
  CHECK(verdict(__NR_memfd_create, {0, 1}) == allowed);
  CHECK(verdict(__NR_memfd_create, {0, 1 | 4}) == error(EPERM));
  CHECK(verdict(__NR_shmget, {0, 4096, 01600}) == allowed);
  CHECK(verdict(__NR_shmget, {0, 4096, 01600 | SHM_HUGETLB}) == error(EPERM));
}

TEST_CASE("a personality can be asked for and not changed") {
  CHECK(verdict(__NR_personality, {0}) == allowed);
  CHECK(verdict(__NR_personality, {0xffff'ffff}) == allowed);
  CHECK(verdict(__NR_personality, {0x0400'0000}) == error(EPERM));  // READ_IMPLIES_EXEC
  CHECK(verdict(__NR_personality, {0x0040'0000}) == error(EPERM));
}

TEST_CASE("a script may filter itself further, without a listener") {
  CHECK(verdict(__NR_seccomp, {1, 0}) == allowed);
  CHECK(verdict(__NR_seccomp, {1, 8}) == error(EPERM));
  CHECK(verdict(__NR_seccomp, {1, 8 | 1 | high_bit}) == error(EPERM));
}

TEST_CASE("every number has an answer within the limits of the kernel") {
  CHECK(script_seccomp_filter().size() < BPF_MAXINSNS / 8);
  for (long number = 0; number < 600; ++number) CHECK(verdict(number) != SECCOMP_RET_KILL_PROCESS);
}

TEST_CASE("init may reap, kill and report, and nothing else") {
  const KillsBy how = GENERATE(KillsBy::one_call, KillsBy::looking);
  const auto program = init_seccomp_filter(how);
  const auto answer = [&](long number, std::uint32_t architecture) {
    seccomp_data data{};
    data.nr = static_cast<int>(number);
    data.arch = architecture;
    return interpret(program, data);
  };
  for (const long number : {__NR_wait4, __NR_kill, __NR_read, __NR_write, __NR_ppoll,
                            __NR_getrusage, __NR_exit_group, __NR_close}) {
    CHECK(answer(number, own_architecture) == allowed);
    CHECK(answer(number, AUDIT_ARCH_I386) == SECCOMP_RET_KILL_PROCESS);
  }
  for (const long number :
       {__NR_execve, __NR_clone, __NR_mmap, __NR_ptrace, __NR_mount, __NR_socket, __NR_setresuid,
        __NR_signalfd4, __NR_munmap, __NR_prctl, __NR_seccomp}) {
    CHECK(answer(number, own_architecture) == SECCOMP_RET_KILL_PROCESS);
  }
  for (const long number : {__NR_openat, __NR_getdents64, __NR_pidfd_open, __NR_waitid}) {
    CHECK(answer(number, own_architecture) ==
          (how == KillsBy::looking ? allowed : SECCOMP_RET_KILL_PROCESS));
  }
}

TEST_CASE("a script that sees the host's processes schedules and limits itself alone") {
  const auto program = script_seccomp_filter(OtherProcesses::seen);
  const auto answer = [&program](long number, std::initializer_list<std::uint64_t> arguments) {
    return verdict_of(program, number, arguments);
  };
  constexpr std::uint64_t other = 4'711, pointer = 0x1000;
  for (const long number :
       {__NR_sched_setscheduler, __NR_sched_setparam, __NR_sched_setattr, __NR_sched_setaffinity}) {
    CAPTURE(number);
    CHECK(answer(number, {0, 8, pointer}) == allowed);
    CHECK(answer(number, {high_bit, 8, pointer}) == allowed);  // the kernel reads 0, too
    for (const auto pid : {std::uint64_t{1}, other, other | high_bit, std::uint64_t{0xffff'ffff}}) {
      CHECK(answer(number, {pid, 8, pointer}) == error(EPERM));
    }
  }
  constexpr std::uint64_t io_process = 1, io_group = 2, io_user = 3;
  CHECK(answer(__NR_setpriority, {PRIO_PROCESS, 0, 19}) == allowed);
  CHECK(answer(__NR_setpriority, {PRIO_PGRP, 0, 19}) == allowed);
  CHECK(answer(__NR_setpriority, {PRIO_PROCESS, other, 19}) == error(EPERM));
  CHECK(answer(__NR_setpriority, {PRIO_PGRP, other, 19}) == error(EPERM));
  CHECK(answer(__NR_setpriority, {PRIO_USER, 0, 19}) == error(EPERM));
  CHECK(answer(__NR_ioprio_set, {io_process, 0, 7}) == allowed);
  CHECK(answer(__NR_ioprio_set, {io_group, 0, 7}) == allowed);
  CHECK(answer(__NR_ioprio_set, {io_process, other, 7}) == error(EPERM));
  CHECK(answer(__NR_ioprio_set, {io_group, other, 7}) == error(EPERM));
  CHECK(answer(__NR_ioprio_set, {io_user, 0, 7}) == error(EPERM));
  CHECK(answer(__NR_prlimit64, {other, RLIMIT_NOFILE, pointer, 0}) == error(EPERM));
  CHECK(answer(__NR_prlimit64, {other, RLIMIT_NOFILE, 0, pointer}) == allowed);
  // All else is as for every script.
  for (const long number : {__NR_ptrace, __NR_process_vm_readv, __NR_pidfd_getfd, __NR_kcmp,
                            __NR_setns, __NR_move_pages}) {
    CHECK(answer(number, {}) == error(EPERM));
  }
  CHECK(answer(__NR_kill, {other, 9}) == allowed);  // Landlock keeps it
  CHECK(program.size() < BPF_MAXINSNS / 8);
}
