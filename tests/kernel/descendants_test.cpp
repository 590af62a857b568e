#include "sandbox/launcher/bare/kill_descendants.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/script_bench.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <catch2/catch.hpp>
#include <string>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

/// Continues a process whenever it is stopped, and counts how often that was.
[[noreturn]] void keep_going(pid_t stopped, std::atomic<int>& times) {
  for (;;) {
    const std::string stat = read_proc(stopped, "stat");
    const auto bracket = stat.rfind(')');
    if (bracket == std::string::npos || bracket + 2 >= stat.size()) ::_exit(0);
    if (stat[bracket + 2] == 'Z') ::_exit(0);
    if (stat[bracket + 2] != 'T') continue;
    ++times;
    ::kill(stopped, SIGCONT);
  }
}

std::atomic<int>& shared_counter() {
  void* const page = ::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return *new (page) std::atomic<int>(0);
}

/// Whether a process dies that another one continues whenever it is stopped.
std::string killed_within(int passes) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  auto& times = shared_counter();
  const pid_t victim = ::fork();
  if (victim == 0) {
    for (;;) ::pause();
  }
  const pid_t helper = ::fork();
  if (helper == 0) keep_going(victim, times);
  const int spared[] = {helper};
  bare::kill_descendants(spared, 1, passes);
  ::kill(helper, SIGKILL);
  ::waitpid(helper, nullptr, 0);
  // Each pass stops it at most once, so a larger count means more passes than were allowed.
  const bool bounded = times.load() <= passes;
  int status = 0;
  const bool dead = ::waitpid(victim, &status, passes > 1 ? 0 : WNOHANG) == victim;
  ::kill(victim, SIGKILL);
  return (bounded ? "bounded" : "stopped " + std::to_string(times.load()) + " times") +
         (dead && WIFSIGNALED(status) ? ", dead" : ", alive");
}

}  // namespace

TEST_CASE("who has few passes does not spend hundreds on a process that goes on when stopped") {
  for (const int passes : {3, 8, 30}) {
    INFO(passes << " passes");
    CHECK(in_child([passes] { return killed_within(passes); }) == "bounded, dead");
  }
}

TEST_CASE("all descendants die, those of descendants, too") {
  CHECK(in_child([] {
          ::prctl(PR_SET_CHILD_SUBREAPER, 1);
          int ends[2];
          if (::pipe(ends) != 0) return std::string("no pipe");
          const pid_t top = ::getpid();
          for (int depth = 0; depth < 5 && ::fork() == 0;) ++depth;
          while (::getpid() != top) ::pause();
          ::close(ends[1]);
          const bool all = bare::kill_descendants(nullptr, 0);
          while (::waitpid(-1, nullptr, 0) > 0) {
          }
          // The pipe ends when nobody has its other end any more.
          char byte = 0;
          return std::string(all && ::read(ends[0], &byte, 1) == 0 ? "dead" : "alive");
        }) == "dead");
}
