// Somebody sits at a terminal and is asked for the token: what he types is not shown, and whatever
// ends the question leaves his terminal as it was. And nobody else of his looks into the processes
// that hold it.
#include "tests/end_to_end/any_authority.hpp"
#include "tests/support/file_text.hpp"
#include "tests/support/loopback_port.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/satellite_process.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

using namespace satellite::tests;

namespace {

/// The program as the first process of a terminal of its own.
class AtTerminal {
 public:
  AtTerminal(std::vector<std::string> words, std::map<std::string, std::string> environment) {
    master_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(master_ >= 0);
    REQUIRE(::grantpt(master_) == 0);
    REQUIRE(::unlockpt(master_) == 0);
    const std::string terminal = ::ptsname(master_);
    // Kept open, so that its modes can be asked for when the program is gone.
    slave_ = ::open(terminal.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(shows_what_is_typed());
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    // The first terminal that the leader of a session opens becomes its own.
    ::posix_spawn_file_actions_addopen(&actions, 0, terminal.c_str(), O_RDWR, 0);
    ::posix_spawn_file_actions_adddup2(&actions, 0, 1);
    ::posix_spawn_file_actions_adddup2(&actions, 0, 2);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    words.insert(words.begin(), satellite_program());
    std::vector<std::string> variables;
    for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
    std::vector<char*> argv, envp;
    for (std::string& word : words) argv.push_back(word.data());
    for (std::string& variable : variables) envp.push_back(variable.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    REQUIRE(::posix_spawn(&pid_, argv.front(), &actions, &attributes, argv.data(), envp.data()) ==
            0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  ~AtTerminal() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(slave_);
    ::close(master_);
  }
  AtTerminal(const AtTerminal&) = delete;
  AtTerminal& operator=(const AtTerminal&) = delete;

  pid_t pid() const { return pid_; }
  void type(const std::string& keys) const {
    REQUIRE(::write(master_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }
  bool shows_what_is_typed() const {
    termios modes{};
    REQUIRE(::tcgetattr(master_, &modes) == 0);
    return (modes.c_lflag & ECHO) != 0;
  }
  /// What stands on the screen, once it has these words.
  std::string screen_with(const std::string& words) {
    eventually("the terminal shows " + words, [&] {
      read();
      return screen_.find(words) != std::string::npos;
    });
    return screen_;
  }
  /// As waitpid(2) gives it.
  int end() {
    int status = 0;
    eventually("the program ends", [&] {
      read();
      return ::waitpid(pid_, &status, WNOHANG) == pid_;
    });
    read();
    pid_ = -1;
    return status;
  }
  const std::string& screen() const { return screen_; }

 private:
  void read() {
    pollfd ready{master_, POLLIN, 0};
    std::array<char, 4096> piece{};
    while (::poll(&ready, 1, 0) == 1) {
      const ssize_t got = ::read(master_, piece.data(), piece.size());
      if (got <= 0) return;
      screen_.append(piece.data(), static_cast<std::size_t>(got));
    }
  }

  int master_ = -1, slave_ = -1;
  pid_t pid_ = -1;
  std::string screen_;
};

std::vector<std::string> enrol_at(const TempDir& directory) {
  return {"enrol",
          "--no-trial",
          "--no-start",
          "--core",
          "https://core.example.org",
          "--id",
          "satellite-1",
          "--config",
          (directory.path() / "satellite.toml").string()};
}

/// Whom the kernel calls the owner of its memory: root, where nobody else of its user may look.
uid_t owner_of_memory(pid_t pid) {
  struct stat facts {};
  const std::string file = "/proc/" + std::to_string(pid) + "/environ";
  return ::stat(file.c_str(), &facts) == 0 ? facts.st_uid : static_cast<uid_t>(-1);
}

}  // namespace

TEST_CASE("a token that is typed is not shown, and the terminal shows what comes afterwards") {
  const TempDir directory;
  AtTerminal terminal(enrol_at(directory), shell_path);
  terminal.screen_with("token: ");
  CHECK_FALSE(terminal.shows_what_is_typed());
  terminal.type("csat_geheim\n");
  const int status = terminal.end();
  INFO(terminal.screen());
  CHECK(status == 0);
  CHECK(terminal.shows_what_is_typed());
  CHECK(terminal.screen().find("geheim") == std::string::npos);
  CHECK(file_text(directory.path() / "token") == "csat_geheim\n");
}

TEST_CASE("whatever ends the question for the token leaves the terminal with its echo") {
  const TempDir directory;
  AtTerminal terminal(enrol_at(directory), shell_path);
  terminal.screen_with("token: ");
  REQUIRE_FALSE(terminal.shows_what_is_typed());
  terminal.type("csat_half");
  const int number = GENERATE(SIGINT, SIGQUIT, SIGTERM, SIGHUP);
  CAPTURE(number);
  // The first two as a person does it, the others as a machine.
  if (number == SIGINT) terminal.type("\x03");
  if (number == SIGQUIT) terminal.type("\x1c");
  if (number == SIGTERM || number == SIGHUP) ::kill(terminal.pid(), number);
  const int status = terminal.end();
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == number);
  CHECK(terminal.shows_what_is_typed());
  CHECK_FALSE(std::filesystem::exists(directory.path() / "token"));
}

TEST_CASE("the end of the input at the question is told, and nothing is written") {
  const TempDir directory;
  AtTerminal terminal(enrol_at(directory), shell_path);
  terminal.screen_with("token: ");
  terminal.type("\x04");
  const int status = terminal.end();
  INFO(terminal.screen());
  CHECK(WEXITSTATUS(status) == 2);
  CHECK(terminal.screen().find("is empty") != std::string::npos);
  CHECK(terminal.shows_what_is_typed());
  CHECK_FALSE(std::filesystem::exists(directory.path() / "token"));
}

TEST_CASE("nobody of the same user looks into a command that holds secrets") {
  if (!require_layer("user", ::geteuid() != 0, "root may look into everything")) return;
  // What has no secrets is its user's.
  REQUIRE(owner_of_memory(::getpid()) == ::geteuid());
  const TempDir directory;
  const LoopbackPort silent;
  const std::string pipe = (directory.path() / "ca.pem").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  auto environment = shell_path;
  environment["CHECKSTACK_CORE_URL"] = "https://127.0.0.1:" + std::to_string(silent.number());
  environment["CHECKSTACK_SATELLITE_CLIENT_ID"] = "satellite-1";
  environment["CHECKSTACK_SATELLITE_TOKEN"] = "csat_geheim";
  environment["CHECKSTACK_SATELLITE_CONNECT_DEADLINE"] = "300";
  environment["CHECKSTACK_SATELLITE_STATUS_SOCKET"] = (directory.path() / "none").string();
  environment["CHECKSTACK_SATELLITE_CA_FILE"] = any_authority();
  // Each waits for somebody who never comes: a person, a core, or who writes into a pipe.
  const std::vector<std::vector<std::string>> commands{
      enrol_at(directory),
      {"rotate-token"},
      {"doctor"},
      {"support-bundle", "--output", (directory.path() / "bundle.tar").string()},
      {"check-config", "--ca-file", pipe}};
  for (const auto& words : commands) {
    CAPTURE(words.front());
    const AtTerminal terminal(words, environment);
    eventually("its memory is closed", [&] { return owner_of_memory(terminal.pid()) == 0; });
  }
}
