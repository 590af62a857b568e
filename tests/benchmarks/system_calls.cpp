#include "tests/benchmarks/system_calls.hpp"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <map>
#include <stdexcept>
#include <thread>

namespace satellite::benchmarks {
namespace {

using namespace std::chrono_literals;

enum class Role { launcher, init, script, program };

Role child_of(Role role) {
  return role == Role::launcher ? Role::init : role == Role::init ? Role::script : role;
}

class Tracer {
 public:
  explicit Tracer(pid_t launcher) {
    constexpr long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                             PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    if (::ptrace(PTRACE_SEIZE, launcher, nullptr, options) != 0 ||
        ::ptrace(PTRACE_INTERRUPT, launcher, nullptr, nullptr) != 0) {
      throw std::runtime_error("cannot trace the launcher");
    }
    roles_[launcher] = Role::launcher;
  }

  /// Works off what there is; false = nothing was.
  bool step() {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, __WALL | __WNOTHREAD | WNOHANG);
    if (pid <= 0) return false;
    if (WIFSTOPPED(status)) on_stop(pid, status);
    if (WIFEXITED(status) || WIFSIGNALED(status)) roles_.erase(pid);
    return true;
  }

  const SystemCalls& calls() const { return calls_; }

 private:
  void on_stop(pid_t pid, int status) {
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    int passed_on = 0;
    if (signal == (SIGTRAP | 0x80)) {
      on_call(pid);
    } else if (event == PTRACE_EVENT_EXEC) {
      if (roles_[pid] == Role::script) roles_[pid] = Role::program;
    } else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
               event == PTRACE_EVENT_CLONE) {
      unsigned long child = 0;
      ::ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &child);
      roles_[static_cast<pid_t>(child)] = child_of(roles_[pid]);
    } else if (event == 0) {
      passed_on = signal;
    }
    ::ptrace(PTRACE_SYSCALL, pid, nullptr, static_cast<long>(passed_on));
  }

  void on_call(pid_t pid) {
    __ptrace_syscall_info info{};
    if (::ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0) return;
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return;
    const auto role = roles_.find(pid);
    // A child may be heard of before its parent tells whose it is; it is one call.
    if (role == roles_.end()) return;
    if (role->second == Role::launcher) ++calls_.launcher;
    if (role->second == Role::init) ++calls_.init;
    if (role->second == Role::script) ++calls_.script;
  }

  std::map<pid_t, Role> roles_;
  SystemCalls calls_;
};

}  // namespace

SystemCalls count_system_calls(pid_t launcher, const std::function<void()>& work) {
  std::atomic<bool> is_done = false, may_begin = false, has_failed = false;
  SystemCalls calls;
  // The end of the thread that traces lets everything go.
  std::thread tracing([&] {
    try {
      Tracer tracer(launcher);
      may_begin = true;
      while (!is_done) {
        if (!tracer.step()) std::this_thread::sleep_for(20us);
      }
      calls = tracer.calls();
    } catch (const std::exception&) {
      has_failed = true;
      may_begin = true;
    }
  });
  while (!may_begin) std::this_thread::sleep_for(1ms);
  if (!has_failed) work();
  is_done = true;
  tracing.join();
  if (has_failed) throw std::runtime_error("cannot trace the launcher");
  return calls;
}

}  // namespace satellite::benchmarks
