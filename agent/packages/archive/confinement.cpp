#include "agent/packages/archive/confinement.hpp"

#include "protocol/vocabulary/byte_count.hpp"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

namespace satellite::agent {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t unpack_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t unpack_architecture = AUDIT_ARCH_AARCH64;
#else
#error "the filter is written for x86_64 and aarch64"
#endif

// A package takes a tenth of a second; one child unpacks a few hundred.
constexpr rlim_t cpu_seconds_max = 120;
constexpr rlim_t file_size_max = 256U << 20U;
constexpr rlim_t open_files_max = 32;
constexpr rlim_t memory_max = 1U << 30U;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool has_sanitizer = true;  // it maps terabytes of shadow
#else
constexpr bool has_sanitizer = false;
#endif

void limit(int resource, rlim_t value) {
  const rlimit both{value, value};
  ::setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

void set_limits() {
  ::signal(SIGXFSZ, SIG_IGN);  // a write past the limit fails, and that is told
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_CPU, cpu_seconds_max);
  limit(RLIMIT_FSIZE, file_size_max);
  limit(RLIMIT_NOFILE, open_files_max);
  if (!has_sanitizer) limit(RLIMIT_AS, memory_max);
}

/// Landlock knows more with every version; what it does not know it refuses to be asked for.
std::uint64_t handled_rights(int abi) {
  std::uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1U) - 1;  // version 1: up to symlinks
  if (abi >= 2) rights |= std::uint64_t{1} << 13U;                 // linking to elsewhere
  if (abi >= 3) rights |= std::uint64_t{1} << 14U;                 // truncate(2)
  if (abi >= 5) rights |= std::uint64_t{1} << 15U;                 // ioctl(2) of devices
  return rights;
}

/// The attribute as of version 6; a kernel takes the part that it knows.
struct LandlockRules {
  std::uint64_t files = 0;
  std::uint64_t network = 0;
  std::uint64_t scopes = 0;
};

int restrict_files(int directory) {
  constexpr unsigned version_flag = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  const long found = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, version_flag);
  if (found <= 0) return 0;
  const int abi = static_cast<int>(found);
  LandlockRules rules{handled_rights(abi), 0, 0};
  std::size_t size = sizeof(rules.files);
  if (abi >= 4) {
    rules.network = 3;  // binding and connecting TCP sockets
    size += sizeof(rules.network);
  }
  if (abi >= 6) {
    rules.scopes = 3;  // abstract sockets and signals
    size += sizeof(rules.scopes);
  }
  const int ruleset = static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, size, 0));
  if (ruleset < 0) return 0;
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
                           LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                           LANDLOCK_ACCESS_FS_MAKE_REG;
  beneath.parent_fd = directory;
  const bool done =
      ::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0 &&
      ::syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  ::close(ruleset);
  return done ? abi : 0;
}

/// Root has the right to both; everybody else in a user namespace, where the host lets them.
void leave_host(int directory, UnpackConfinement& confinement) {
  const bool is_root = ::geteuid() == 0;
  confinement.own_network = ::unshare(is_root ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) == 0;
  const bool may_change_root = confinement.own_network || is_root || ::unshare(CLONE_NEWUSER) == 0;
  confinement.own_root =
      may_change_root && ::fchdir(directory) == 0 && ::chroot(".") == 0 && ::chdir("/") == 0;
}

bool drop_capabilities() {
  constexpr int capability_bound = 64;
  for (int capability = 0; capability < capability_bound; ++capability) {
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

/// What unpacking, memory and a failing assertion take.
constexpr std::uint32_t permitted_calls[] = {
    __NR_read,           __NR_write,       __NR_writev,        __NR_close,
    __NR_openat,         __NR_mkdirat,     __NR_fchmod,        __NR_fstat,
    __NR_newfstatat,     __NR_lseek,       __NR_recvmsg,       __NR_sendmsg,
    __NR_munmap,         __NR_mremap,      __NR_madvise,       __NR_brk,
    __NR_futex,          __NR_getrandom,   __NR_clock_gettime, __NR_exit,
    __NR_exit_group,     __NR_getpid,      __NR_gettid,        __NR_tgkill,
    __NR_rt_sigreturn,   __NR_sigaltstack, __NR_rt_sigaction,  __NR_rt_sigprocmask,
    __NR_restart_syscall};
/// A sanitizer asks a pipe whether memory is there, and reads where it runs.
constexpr std::uint32_t sanitizer_calls[] = {__NR_pipe2, __NR_readlinkat,
#if defined(__x86_64__)
                                             __NR_pipe, __NR_readlink
#endif
};
/// Permitted without PROT_EXEC.
constexpr std::uint32_t mapping_calls[] = {__NR_mmap, __NR_mprotect};

bool filter_calls() {
  const auto statement = [](int code, std::uint32_t k) {
    return sock_filter{static_cast<std::uint16_t>(code), 0, 0, k};
  };
  const auto jump = [](int test, std::uint32_t k, std::uint8_t if_true, std::uint8_t if_false) {
    return sock_filter{static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), if_true, if_false, k};
  };
  std::vector<sock_filter> program{
      statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      jump(BPF_JEQ, unpack_architecture, 1, 0),
      statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  std::vector<std::uint32_t> permitted(std::begin(permitted_calls), std::end(permitted_calls));
  if (has_sanitizer) {
    permitted.insert(permitted.end(), std::begin(sanitizer_calls), std::end(sanitizer_calls));
  }
  for (const std::uint32_t number : permitted) {
    program.push_back(jump(BPF_JEQ, number, 0, 1));
    program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  constexpr std::uint32_t protection = offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t);
  for (const std::uint32_t number : mapping_calls) {
    program.push_back(jump(BPF_JEQ, number, 0, 3));
    program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, protection));
    program.push_back(jump(BPF_JSET, PROT_EXEC, 1, 0));
    program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    program.push_back(statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  }
  program.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  const sock_fprog whole{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole, 0, 0) == 0;
}

}  // namespace

std::string UnpackConfinement::words() const {
  std::string text = landlock_abi > 0 ? "landlock " + std::to_string(landlock_abi) + ", " : "";
  if (own_root) text += "own root, ";
  if (own_network) text += "own network, ";
  return text + "system calls";
}

Result<UnpackConfinement> confine_to(int directory) {
  UnpackConfinement confinement;
  set_limits();
  ::prctl(PR_SET_DUMPABLE, 0);
  leave_host(directory, confinement);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return error_from_errno("prctl(PR_SET_NO_NEW_PRIVS)", errno);
  }
  confinement.landlock_abi = restrict_files(directory);
  if (confinement.landlock_abi == 0 && !confinement.own_root) {
    return Error{ErrorCode::unsupported,
                 "this host can keep a process that unpacks packages from no other file: it has "
                 "neither Landlock nor user namespaces for this user; remedy: a kernel with "
                 "Landlock (5.13 or later)"};
  }
  if (!drop_capabilities()) return error_from_errno("drop the capabilities", errno);
  if (!filter_calls()) return error_from_errno("filter system calls", errno);
  return confinement;
}

}  // namespace satellite::agent
