#include "sandbox/launcher/bare/kill_descendants.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/test_network.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <thread>

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

/// A process with two threads, the first of which has ended: /proc shows it as a zombie. It writes
/// a byte when that is so.
[[noreturn]] void live_without_first_thread(int ready) {
  std::thread([ready] {
    while (read_proc(::getpid(), "stat").find(") Z ") == std::string::npos) ::sched_yield();
    static_cast<void>(::write(ready, "x", 1));
    for (;;) ::pause();
  }).detach();
  ::syscall(SYS_exit, 0);
  ::_exit(1);
}

/// Each link starts the next one and ends, until it is told to stop.
[[noreturn]] void run_on(const std::atomic<int>& is_told) {
  while (::fork() == 0) {
    if (is_told != 0) ::_exit(0);
    ::usleep(300);
  }
  ::_exit(0);
}

/// Whether nobody has the other end of this pipe any more.
bool is_closed(int pipe_end, int milliseconds) {
  pollfd watched{pipe_end, POLLIN, 0};
  char byte = 0;
  return ::poll(&watched, 1, milliseconds) == 1 && ::read(pipe_end, &byte, 1) == 0;
}

/// Kills such a chain with so many passes at a time, and says whether it is over then.
bool is_chain_killed(int passes) {
  auto& is_told = shared_counter();
  int ends[2];
  if (::pipe(ends) != 0) return false;
  if (::fork() == 0) run_on(is_told);
  ::close(ends[1]);
  ::usleep(500);
  while (!bare::kill_descendants(nullptr, 0, passes)) {
  }
  const bool is_over = is_closed(ends[0], 0);
  is_told = 1;
  is_closed(ends[0], 10'000);
  ::close(ends[0]);
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  return is_over;
}

/// What becomes of a child that writes a byte once it is as it is to be killed.
std::string killed(const std::function<void(int)>& live, const std::function<bool(pid_t)>& is_so) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t pid = ::fork();
  if (pid == 0) live(ends[1]);
  ::close(ends[1]);
  char byte = 0;
  if (::read(ends[0], &byte, 1) != 1) return "not begun";
  const bool was_so = is_so(pid);
  const bool all = bare::kill_descendants(nullptr, 0);
  const bool is_over = is_closed(ends[0], 0);
  ::kill(pid, SIGKILL);
  if (!was_so) return "not so";
  return all && is_over ? "dead" : "alive";
}

[[noreturn]] void live_hidden(int ready) {
  ::prctl(PR_SET_DUMPABLE, 0);
  static_cast<void>(::write(ready, "x", 1));
  for (;;) ::pause();
}

}  // namespace

TEST_CASE("a process whose first thread has ended dies as well") {
  const auto is_zombie = [](pid_t pid) { return holds(read_proc(pid, "stat"), ") Z "); };
  CHECK(in_child([&] { return killed(live_without_first_thread, is_zombie); }) == "dead");
}

TEST_CASE("a process that /proc hides dies as well") {
  if (!require_layer("root", is_root(), "only root can mount /proc with hidepid")) return;
  const auto is_hidden = [](pid_t pid) { return read_proc(pid, "stat").empty(); };
  CHECK(in_child([&] {
          take_own_mounts();
          if (::mount("proc", "/proc", "proc", 0, "hidepid=2") != 0) return std::string("no mount");
          return as_uid_65532([&] { return killed(live_hidden, is_hidden); });
        }) == "dead");
}

TEST_CASE("nobody is missed who starts another one and ends while somebody looks") {
  constexpr int chains = 300;  // at which of their steps a look meets them is chance
  CHECK(in_child([] {
          ::prctl(PR_SET_CHILD_SUBREAPER, 1);
          int killed = 0;
          for (int i = 0; i < chains; ++i) killed += is_chain_killed(3) ? 1 : 0;
          return std::to_string(killed);
        }) == std::to_string(chains));
}

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
