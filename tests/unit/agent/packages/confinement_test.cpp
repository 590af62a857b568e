// What the process that unpacks can no longer do, each beside the same attempt before its walls.
#include "agent/packages/archive/confinement.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <string>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;

namespace {

/// One letter for each attempt: upper case where it succeeded.
std::string attempts(int directory, const std::string& outside) {
  std::string told;
  const auto note = [&told](char letter, bool done) {
    told += done ? static_cast<char>(letter - 'a' + 'A') : letter;
  };
  const auto opens = [](int fd) {
    if (fd >= 0) ::close(fd);
    return fd >= 0;
  };
  note('w', opens(::openat(directory, told.empty() ? "one" : "two", O_WRONLY | O_CREAT | O_CLOEXEC,
                           0600)));
  note('m', ::mkdirat(directory, "made", 0700) == 0 || errno == EEXIST);
  note('r', opens(::open("/etc/passwd", O_RDONLY | O_CLOEXEC)));
  note('o', opens(::open(outside.c_str(), O_WRONLY | O_CLOEXEC)));
  note('u', opens(::openat(directory, "../outside", O_WRONLY | O_CLOEXEC)));
  note('s', opens(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  note('i', opens(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  if (child > 0) ::waitpid(child, nullptr, 0);
  note('f', child > 0);
  void* const page =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  note('x', page != MAP_FAILED);
  note('l', ::symlinkat("/etc", directory, "link") == 0 || errno == EEXIST);
  note('h', ::linkat(directory, "one", directory, "hard", 0) == 0 || errno == EEXIST);
  note('k', ::kill(::getppid(), 0) == 0);
  note('c', ::fchmodat(directory, "made", 0755, 0) == 0);
  note('p', ::syscall(SYS_ptrace, 0, 0, 0, 0) == 0);
  return told;
}

}  // namespace

TEST_CASE("a confined process writes below its directory and reaches nothing else") {
  const TempDir files;
  const std::string outside = files.write("outside", "x");
  const std::string inside = (files.path() / "inside").string();
  REQUIRE(::mkdir(inside.c_str(), 0700) == 0);
  const auto look = [&](bool confined) {
    return in_child([&] {
      const UniqueFd directory(::open(inside.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      std::string walls = "none";
      if (confined) {
        const auto made = confine_to(directory.get());
        walls = made ? made->words() : made.error().message;
      }
      return attempts(directory.get(), outside) + " " + walls;
    });
  };
  const std::string before = look(false), after = look(true);
  INFO(after);
  CHECK(before.substr(0, 14) == "WMROUSIFXLHKCP");
  CHECK(after.substr(0, 14) == "WMrousifxlhkcp");
  CHECK(after.find("system calls") != std::string::npos);
  const bool shut_in =
      after.find("landlock") != std::string::npos || after.find("own root") != std::string::npos;
  CHECK(shut_in);
}

TEST_CASE("a confined process has no capability, no new privileges, and limits") {
  const TempDir files;
  const std::string seen = in_child([&] {
    // Before the walls, since it could not be opened after them.
    const UniqueFd status(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
    const UniqueFd limits(::open("/proc/self/limits", O_RDONLY | O_CLOEXEC));
    const UniqueFd directory(::open(files.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto made = confine_to(directory.get());
    if (!made) return made.error().message;
    std::string text(16'384, '\0');
    const ssize_t one = ::read(status.get(), text.data(), 8'192);
    const ssize_t two = ::read(limits.get(), text.data() + one, 8'192);
    text.resize(static_cast<std::size_t>(one + two));
    return text;
  });
  INFO(seen);
  for (const char* line : {"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
                           "NoNewPrivs:\t1", "Seccomp:\t2", "Max file size             268435456",
                           "Max open files            32", "Max cpu time              120"}) {
    INFO(line);
    CHECK(seen.find(line) != std::string::npos);
  }
}
