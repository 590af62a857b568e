#include "sandbox/launcher/process/detach_from_agent.hpp"

#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/launcher/bare/script_child.hpp"

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
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

namespace satellite::sandbox {
namespace {

/// The launcher's own, and the numbers above 100 that descriptors of a run pass through.
constexpr rlim_t open_files_min = 160;

/// The words from `first` on, counted from 1 as in proc(5), of a text of /proc/PID/stat.
std::vector<unsigned long> stat_numbers(const std::string& text, std::size_t first,
                                        std::size_t count) {
  std::vector<unsigned long> numbers;
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return numbers;
  std::istringstream words(text.substr(name_end + 1));
  std::string word;
  for (std::size_t at = 3; at < first + count && words >> word; ++at) {
    if (at >= first) numbers.push_back(std::strtoul(word.c_str(), nullptr, 10));
  }
  return numbers;
}

/// Every process that is forked from this one shows the command line that it had, the init of a run
/// among them, to the scripts of that run. The kernel reads it from our own memory.
void cover_command_line() {
  constexpr std::string_view title = "csat-launcher";
  constexpr std::size_t first_of_arguments = 48;  // arg_start; arg_end follows
  const auto text = kernel::read_small_file(AT_FDCWD, "/proc/self/stat");
  if (!text) return;
  const auto range = stat_numbers(*text, first_of_arguments, 2);
  if (range.size() != 2 || range[0] == 0 || range[1] <= range[0]) return;
  auto* const start = reinterpret_cast<char*>(range[0]);
  const std::size_t size = range[1] - range[0];
  std::memset(start, 0, size);
  std::memcpy(start, title.data(), std::min(title.size(), size - 1));
}

}  // namespace

void separate_from_agent(pid_t agent_pid) {
  ::setsid();
  ::prctl(PR_SET_NAME, "csat-launcher");
  cover_command_line();
  ::prctl(PR_SET_DUMPABLE, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  // The closed socket tells us that the agent is gone; this is the backup for a leaked copy of it.
  ::prctl(PR_SET_PDEATHSIG, agent_gone_signal);
  if (::getppid() != agent_pid) ::raise(agent_gone_signal);
}

// What keeps the host's mounts as they are is that whatever mounts or unmounts (slirp4netns, every
// sandbox) does so in a namespace of its own that is private throughout. This is a second wall, and
// only where it costs the host nothing: a copy of a private mount stays private whatever is asked,
// and would hide what is mounted later and keep devices busy that the host unmounts. Where one
// mount is private (a host without systemd, many containers) the launcher therefore stays.
void separate_mounts() {
  if (::geteuid() != 0) return;
  const auto mounts = kernel::read_small_file(AT_FDCWD, "/proc/self/mountinfo", 16U << 20U);
  if (!mounts || !kernel::every_mount_propagates(*mounts)) return;
  if (::unshare(CLONE_NEWNS) != 0) return;
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
  bare::reset_signal_dispositions();
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
