#pragma once

#include <sys/types.h>
#include <functional>

namespace satellite::benchmarks {

/// System calls by who made them.
struct SystemCalls {
  double launcher = 0;
  double init = 0;    ///< the launcher's children: the first processes of runs, and builders
  double script = 0;  ///< their children up to the start of the script's program
};

/// Counts while `work` goes on in another thread. It takes many times as long as without.
///
/// Errors: throws where the launcher cannot be traced: without CAP_SYS_PTRACE.
/// Source: ptrace(2).
SystemCalls count_system_calls(pid_t launcher, const std::function<void()>& work);

}  // namespace satellite::benchmarks
