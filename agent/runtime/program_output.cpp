#include "agent/runtime/program_output.hpp"

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
std::optional<std::string> read_before(int fd, Moment deadline, ByteCount size_max) {
  std::string text;
  std::array<char, 4096> part{};
  while (readable_before(fd, deadline)) {
    const ssize_t size = ::read(fd, part.data(), part.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    const std::size_t room = size_max.value - text.size();
    text.append(part.data(), std::min(room, static_cast<std::size_t>(size)));
  }
  return std::nullopt;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

Result<pid_t> start(const ProgramQuestion& question, int output) {
  SpawnSettings settings;
  settings.open_null(0);
  settings.pass(output, 1);
  settings.open_null(2);
  std::vector<std::string> words = question.words, environment = question.environment;
  const std::vector<char*> arguments = pointers_to(words), variables = pointers_to(environment);
  pid_t pid = -1;
  const int failure = settings.start(arguments.front(), arguments.data(), variables.data(), pid);
  if (failure != 0) return error_from_errno("start " + question.words.front(), failure);
  return pid;
}

}  // namespace

bool ProgramAnswer::ended_well() const {
  return WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
}

Result<ProgramAnswer> ask_program(const ProgramQuestion& question) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return error_from_errno("pipe2", errno);
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const auto pid = start(question, theirs.get());
  theirs.reset();
  if (!pid) return pid.error();
  Child child(*pid);
  auto output = read_before(ours.get(), question.deadline, question.output_max);
  if (!output || !readable_before(child.handle(), question.deadline)) {
    return Error{ErrorCode::timed_out, question.words.front() + " did not end in time"};
  }
  const int status = child.reap();
  return ProgramAnswer{status, *std::move(output)};
}

}  // namespace satellite::agent
