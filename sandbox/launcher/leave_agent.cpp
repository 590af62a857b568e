#include "sandbox/launcher/leave_agent.hpp"

#include "sandbox/kernel/proc_facts.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace satellite::sandbox {
namespace {

/// The launcher's own, and the numbers above 100 that descriptors of a run pass through.
constexpr rlim_t open_files_min = 160;

}  // namespace

void separate_from_agent(pid_t agent_pid) {
  ::setsid();
  ::prctl(PR_SET_NAME, "csat-launcher");
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  // The closed socket tells us that the agent is gone; this is the backup for a leaked copy of it.
  ::prctl(PR_SET_PDEATHSIG, agent_gone_signal);
  if (::getppid() != agent_pid) ::raise(agent_gone_signal);
}

// Slave, not private: private copies would hide what is mounted later, and would keep devices busy
// that the host unmounts. Whatever pivots away from its root (slirp4netns, every sandbox) goes on
// from here into a namespace of its own, which is private.
void separate_mounts() {
  if (::geteuid() != 0 || ::unshare(CLONE_NEWNS) != 0) return;
  static_cast<void>(::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr));
}

void keep_descriptors(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = 0;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > next) ::syscall(SYS_close_range, next, number - 1, 0);
    next = number + 1;
  }
  ::syscall(SYS_close_range, next, ~0U, 0);
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDWR));
  }
}

Result<std::uint64_t> raise_limit_of_open_files() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return error_from_errno("getrlimit", errno);
  if (files.rlim_max < open_files_min) {
    return Error{ErrorCode::limit_exceeded,
                 "this process may open only " + std::to_string(files.rlim_max) +
                     " files (hard limit), and at least " + std::to_string(open_files_min) +
                     " are needed; raise it: LimitNOFILE=65536 in the service's unit, ulimit -Hn "
                     "in the shell, --ulimit nofile= of the container"};
  }
  const std::uint64_t started_with = std::exchange(files.rlim_cur, files.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &files) != 0) return error_from_errno("setrlimit", errno);
  return started_with;
}

std::uint64_t script_open_files(std::uint64_t started_with) {
  constexpr std::uint64_t usual = 1'024;
  return std::max(started_with, usual);
}

UniqueFd take_signals() {
  sigset_t all, watched;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::sigemptyset(&watched);
  ::sigaddset(&watched, SIGCHLD);
  ::sigaddset(&watched, agent_gone_signal);
  return UniqueFd(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
}

bool cannot_debug_dropped_processes() {
  const auto setting = kernel::read_small_file(AT_FDCWD, "/proc/sys/fs/suid_dumpable");
  return setting && !setting->starts_with('1');
}

std::uint32_t landlock_abi() {
  constexpr long version = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, version);
  return abi > 0 ? static_cast<std::uint32_t>(abi) : 0;
}

}  // namespace satellite::sandbox
