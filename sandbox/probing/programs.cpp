#include "sandbox/probing/probing.hpp"

#include "protocol/vocabulary/printable.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/probing/trial_command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>

namespace satellite::sandbox {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto answer_time_max = 3s;
constexpr std::size_t answer_size_max = 64;

/// Starts `path --version` with nothing in its environment that could change what runs.
pid_t start_version(const std::string& path, int output) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output, 1);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::string program = path, option = "--version", home = "HOME=/nonexistent";
  char* const arguments[] = {program.data(), option.data(), nullptr};
  char* const environment[] = {home.data(), nullptr};
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, arguments, environment);
  ::posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? pid : -1;
}

/// The first words of what comes out of `fd` before the deadline, until its end.
std::string read_answer(int fd) {
  const auto deadline = Clock::now() + answer_time_max;
  std::string answer;
  while (answer.size() < answer_size_max) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd watched{fd, POLLIN, 0};
    if (left <= 0ms || ::poll(&watched, 1, static_cast<int>(left.count())) <= 0) break;
    char text[answer_size_max];
    const ssize_t size = ::read(fd, text, sizeof(text));
    if (size <= 0) break;
    answer.append(text, static_cast<std::size_t>(size));
  }
  return answer.substr(0, std::min(answer_size_max, answer.find('\n')));
}

/// What the program says its version is; empty when it does not run, or not in time.
std::string version_of(const std::string& path) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t pid = start_version(path, writing.get());
  writing.reset();
  if (pid < 0) return {};
  const std::string answer = read_answer(reading.get());
  // It has answered, or it never will.
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return answer;
}

}  // namespace

void probe_wrapper_programs(HostFacts& facts) {
  const bool another_works = facts.native_engine || facts.wrapper != Wrapper::none;
  for (const char* name : {"bwrap", "nsjail", "firejail"}) {
    const std::string path = find_program(name);
    const std::string missing = std::string(name) + " is not on PATH" +
                                (another_works ? "; not needed, since another engine works" : "");
    const std::string remedy = another_works
                                   ? std::string()
                                   : std::string("install ") +
                                         (std::string_view(name) == "bwrap" ? "bubblewrap" : name) +
                                         " to use it";
    set_finding(facts, std::string("program_") + name, !path.empty(), path.empty() ? missing : path,
                remedy);
  }
}

void probe_shell(HostFacts& facts) {
  const std::string path = find_shell(this_host_programs());
  set_finding(
      facts, "shell", !path.empty(),
      path.empty() ? "no sh in /usr/local/bin, /usr/bin or /bin: no shell script can run" : path,
      "install a shell as /bin/sh (dash, bash), or link it to busybox");
}

void probe_javascript_runtimes(HostFacts& facts) {
  std::string found, unusable;
  for (const char* name : {"bun", "node", "deno"}) {
    const std::string path = find_program(name);
    if (path.empty()) continue;
    const std::string version = version_of(path);
    std::string& list = version.empty() ? unusable : found;
    if (!list.empty()) list += "; ";
    list += version.empty() ? path + " does not answer --version" : path + " " + version;
  }
  const bool works = !found.empty();
  if (!unusable.empty()) found += (found.empty() ? "" : "; ") + unusable;
  set_finding(
      facts, "javascript_runtimes", works,
      found.empty() ? "neither bun nor node nor deno is on PATH" : printable(found),
      "install bun or node for scripts in JavaScript or TypeScript; shell scripts need none");
}

}  // namespace satellite::sandbox
