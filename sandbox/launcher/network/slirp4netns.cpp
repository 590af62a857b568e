#include "sandbox/launcher/network/slirp4netns.hpp"

#include "sandbox/kernel/memory_file.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <string_view>

namespace satellite::sandbox {
namespace {

constexpr std::array<const char*, 3> program_paths{
    "/usr/bin/slirp4netns", "/usr/local/bin/slirp4netns", "/bin/slirp4netns"};

// Descriptors of the program; named in its arguments.
constexpr int ready_fd = 3;
constexpr int exit_fd = 4;
constexpr int namespace_fd = 5;

constexpr const char* arguments[] = {
    "slirp4netns",   "--configure",      "--mtu=65520",      "--disable-host-loopback",
    "--disable-dns", "--enable-sandbox", "--enable-seccomp", "--netns-type=path",
    "--ready-fd=3",  "--exit-fd=4",      "/proc/self/fd/5",  slirp4netns_uplink_name,
    nullptr};
constexpr const char* environment[] = {"PATH=/usr/bin:/bin", nullptr};

struct Ends {
  int ready = -1, exit = -1, network = -1, user = -1, messages = -1, null = -1;
};

/// slirp4netns makes "/" private, without the mounts below it, before it mounts on /tmp and lazily
/// unmounts its old root. Where the mounts below are shared, which is systemd's default, both
/// events propagate to the host, and /sys/fs/cgroup, /dev/pts and all others disappear there.
/// Therefore it gets a mount namespace in which every mount is private.
bool take_own_mounts() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

/// In the child: never returns. What fails shows as the end of file on the ready pipe.
[[noreturn]] void become_slirp4netns(const char* program, Ends ends) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It becomes root of the user namespace that owns the network, and has no other privilege.
  if (ends.user >= 0 && ::setns(ends.user, CLONE_NEWUSER) != 0) ::_exit(126);
  if (!take_own_mounts()) {
    constexpr std::string_view text = "it cannot be given a mount namespace of its own";
    const bool is_told = ::write(ends.messages, text.data(), text.size()) > 0;
    ::_exit(is_told ? 126 : 125);
  }
  // First to numbers from 20 on: one of these descriptors may already have a number that is wanted
  // for another.
  const int sources[] = {ends.null, ends.null, ends.messages, ends.ready, ends.exit, ends.network};
  std::array<int, 6> moved{};
  for (std::size_t i = 0; i < moved.size(); ++i) {
    moved[i] = ::fcntl(sources[i], F_DUPFD_CLOEXEC, 20);
    if (moved[i] < 0) ::_exit(126);
  }
  for (std::size_t i = 0; i < moved.size(); ++i) {
    if (::dup3(moved[i], static_cast<int>(i), 0) < 0) ::_exit(126);
  }
  static_assert(ready_fd == 3 && exit_fd == 4 && namespace_fd == 5);
  ::syscall(SYS_close_range, namespace_fd + 1, ~0U, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(program, const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
  ::_exit(127);
}

Result<std::pair<UniqueFd, UniqueFd>> make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return error_from_errno("pipe2", errno);
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

}  // namespace

std::string find_slirp4netns() {
  for (const char* path : program_paths) {
    if (::access(path, X_OK) == 0) return path;
  }
  return {};
}

Result<Slirp4netns> start_slirp4netns(const std::string& program, const NetworkNamespace& of) {
  if (program.empty()) return Error{ErrorCode::not_found, "slirp4netns is not installed"};
  auto ready = make_pipe();
  auto exit = make_pipe();
  auto messages = kernel::make_scratch_file("slirp4netns");
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!ready || !exit || !messages || !null) {
    return Error{ErrorCode::unavailable, "no descriptors are left for slirp4netns"};
  }
  Slirp4netns started;
  const Ends ends{ready->second.get(),     exit->first.get(), of.network_namespace.get(),
                  of.user_namespace.get(), messages->get(),   null.get()};
  int pidfd = -1;
  const long pid = ::syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, 0, 0);
  if (pid < 0) return error_from_errno("fork slirp4netns", errno);
  if (pid == 0) become_slirp4netns(program.c_str(), ends);
  started.pid = static_cast<pid_t>(pid);
  started.pidfd = UniqueFd(pidfd);
  started.ready = std::move(ready->first);
  started.exit = std::move(exit->second);
  started.messages = *std::move(messages);
  return started;
}

}  // namespace satellite::sandbox
