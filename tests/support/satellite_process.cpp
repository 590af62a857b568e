#include "tests/support/satellite_process.hpp"
#include "tests/support/file_text.hpp"

#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace satellite::tests {
namespace {

struct Redirections {
  std::string input = "/dev/null", output, error;
};

pid_t spawn(const std::vector<std::string>& arguments,
            const std::map<std::string, std::string>& environment, const Redirections& files) {
  std::vector<std::string> words{SATELLITE_BINARY};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> settings;
  for (const auto& [name, value] : environment) settings.push_back(name + "=" + value);
  // Sanitizers read their options from the environment of the test run.
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"}) {
    if (const char* value = ::getenv(name)) settings.push_back(std::string(name) + "=" + value);
  }
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::vector<char*> envp;
  for (auto& setting : settings) envp.push_back(setting.data());
  envp.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  constexpr int writing = O_WRONLY | O_CREAT | O_APPEND;
  ::posix_spawn_file_actions_addopen(&actions, 0, files.input.c_str(), O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, files.output.c_str(), writing, 0600);
  ::posix_spawn_file_actions_addopen(&actions, 2, files.error.c_str(), writing, 0600);
  // Asio opens sockets without O_CLOEXEC; a satellite must not keep its core's port.
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  pid_t pid = -1;
  const std::string program = satellite_program();
  const int failed =
      ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), envp.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error("cannot start " + program);
  return pid;
}

/// -1 while it runs on past the limit.
int wait_within(pid_t pid, std::chrono::milliseconds limit, int& status) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  pollfd ended{pidfd, POLLIN, 0};
  const int ready = ::poll(&ended, 1, static_cast<int>(limit.count()));
  ::close(pidfd);
  if (ready != 1) return -1;
  return ::waitpid(pid, &status, 0) == pid ? 0 : -1;
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

std::string satellite_program() {
  const char* const copy = std::getenv("SATELLITE_BINARY");
  return copy != nullptr ? copy : SATELLITE_BINARY;
}

SatelliteProcess::SatelliteProcess(const Start& start) : log_file_(start.log_file) {
  auto environment = start.environment;
  // The default is one for the whole host, and tests run side by side.
  environment.try_emplace("CHECKSTACK_SATELLITE_STATE_DIRECTORY", start.log_file + ".state");
  environment.try_emplace("CHECKSTACK_SATELLITE_OUTBOX_FREE_SPACE", "0");
  // Tests leave scripts that sleep for minutes; who tests the drain says how long it may take.
  environment.try_emplace("CHECKSTACK_SATELLITE_DRAIN", "0");
  pid_ =
      spawn(start.arguments, environment, Redirections{"/dev/null", "/dev/null", start.log_file});
}

SatelliteProcess::~SatelliteProcess() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  if (wait_within(pid_, std::chrono::seconds(10), status_) != 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status_, 0);
  }
}

void SatelliteProcess::signal(int number) const {
  ::kill(pid_, number);
}

int SatelliteProcess::wait(std::chrono::milliseconds limit) {
  if (pid_ >= 0) {
    if (wait_within(pid_, limit, status_) != 0) {
      throw std::runtime_error("the satellite did not end in time; its log:\n" + log());
    }
    pid_ = -1;
  }
  return exit_code_of(status_);
}

bool SatelliteProcess::running() {
  if (pid_ >= 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
  return pid_ >= 0;
}

std::string SatelliteProcess::log() const {
  return file_text(log_file_);
}

CommandResult run_satellite(const std::vector<std::string>& arguments,
                            const std::map<std::string, std::string>& environment,
                            const std::string& standard_input) {
  const TempDir files;
  const Redirections redirections{files.write("in", standard_input),
                                  (files.path() / "out").string(), (files.path() / "err").string()};
  const pid_t pid = spawn(arguments, environment, redirections);
  int status = 0;
  if (wait_within(pid, std::chrono::seconds(240), status) != 0) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    throw std::runtime_error("the command did not end in time:\n" + file_text(redirections.error));
  }
  return CommandResult{exit_code_of(status), file_text(redirections.output),
                       file_text(redirections.error)};
}

const std::map<std::string, std::string> shell_path{
    {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};

std::vector<pid_t> children_of(pid_t pid) {
  const std::string number = std::to_string(pid);
  std::ifstream file("/proc/" + number + "/task/" + number + "/children");
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

void eventually(const std::string& what, const std::function<bool()>& condition,
                std::chrono::milliseconds limit) {
  using std::chrono::milliseconds;
  // Ever less often: a look may cost much, and many tests look at a time.
  constexpr milliseconds pause_min(5), pause_max(100);
  const auto begun = std::chrono::steady_clock::now();
  while (!condition()) {
    const auto waited =
        std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
    if (waited > limit) throw std::runtime_error("never came true: " + what);
    std::this_thread::sleep_for(std::clamp(waited / 8, pause_min, pause_max));
  }
}

void eventually(const std::string& what, const std::function<bool()>& condition,
                const SatelliteProcess& satellite) {
  try {
    eventually(what, condition);
  } catch (const std::runtime_error& late) {
    throw std::runtime_error(satellite.log() + late.what());
  }
}

}  // namespace satellite::tests
