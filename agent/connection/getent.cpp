#include "agent/connection/getent.hpp"

#include "agent/connection/name_services.hpp"
#include "agent/runtime/spawn_settings.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <optional>

namespace satellite::agent {
namespace {

using Moment = std::chrono::steady_clock::time_point;

constexpr std::array programs{"/usr/bin/getent", "/bin/getent"};
constexpr std::size_t getent_addresses_max = 16;
// Some hundred lines. What comes after that is read and dropped, so that the program can end.
constexpr std::size_t output_max = 32'768;
// getent(1): "One or more supplied key could not be found in the database."
constexpr int exit_not_found = 2;

/// The program while it runs: killed and reaped at the latest when this goes. Nobody else reaps our
/// children, so its number stays its own until then.
class Child {
 public:
  explicit Child(pid_t pid)
      : pid_(pid), handle_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  ~Child() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    static_cast<void>(reap());
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  int handle() const { return handle_.get(); }
  /// Waits for its end.
  int reap() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
  UniqueFd handle_;  ///< becomes readable when it has ended
};

/// Waits until `fd` can be read. False = the deadline came first.
bool readable_before(int fd, Moment deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd wanted{fd, POLLIN, 0};
    const int count =
        ::poll(&wanted, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (count > 0) return true;
    if (count < 0 && errno != EINTR) return false;
  }
}

/// All it writes until it closes its output, or nothing when the deadline came first.
std::optional<std::string> read_before(int fd, Moment deadline) {
  std::string text;
  std::array<char, 4096> part{};
  while (readable_before(fd, deadline)) {
    const ssize_t size = ::read(fd, part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    const std::size_t room = output_max - text.size();
    text.append(part.data(), std::min(room, static_cast<std::size_t>(size)));
  }
  return std::nullopt;
}

/// Starts the first of the programs that is there.
Result<pid_t> start_getent(const std::string& name, int output) {
  SpawnSettings settings;
  settings.open_null(0);
  settings.pass(output, 1);
  settings.open_null(2);
  std::string program_name = "getent", database = "ahosts", key = name;
  std::string locale = "LC_ALL=C", path = "PATH=/usr/bin:/bin";
  std::array<char*, 4> arguments{program_name.data(), database.data(), key.data(), nullptr};
  std::array<char*, 3> environment{locale.data(), path.data(), nullptr};
  for (const char* program : programs) {
    pid_t pid = -1;
    const int failure = settings.start(program, arguments.data(), environment.data(), pid);
    if (failure == 0) return pid;
    if (failure != ENOENT) return error_from_errno(std::string("DNS: start ") + program, failure);
  }
  return Error{ErrorCode::not_found,
               "DNS: this host has no /usr/bin/getent; install it (libc-bin, musl-utils), or set "
               "connection.resolver = \"builtin\""};
}

Error getent_is_late(const std::string& name) {
  return Error{ErrorCode::timed_out, "DNS: getent did not answer for " + name +
                                         " in time; check the host's name services"};
}

}  // namespace

Result<std::vector<boost::asio::ip::address>> ask_getent(const std::string& name, Moment deadline) {
  // It would be read as an option.
  if (name.starts_with('-')) {
    return Error{ErrorCode::invalid_input,
                 "DNS: getent cannot be asked for a name that begins with -"};
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return error_from_errno("DNS: pipe2", errno);
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const auto pid = start_getent(name, theirs.get());
  theirs.reset();
  if (!pid) return pid.error();
  Child child(*pid);
  const auto output = read_before(ours.get(), deadline);
  if (!output || !readable_before(child.handle(), deadline)) return getent_is_late(name);
  const int status = child.reap();
  if (WIFEXITED(status) && WEXITSTATUS(status) == exit_not_found) {
    return Error{ErrorCode::not_found, "DNS: getent knows no " + name};
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Error{ErrorCode::io_failed, "DNS: getent failed for " + name + " (wait status " +
                                           std::to_string(status) + ")"};
  }
  auto addresses = addresses_of_getent(*output, getent_addresses_max);
  if (addresses.empty()) {
    return Error{ErrorCode::not_found, "DNS: getent printed no address for " + name};
  }
  return addresses;
}

}  // namespace satellite::agent
