#pragma once

#include <sys/types.h>
#include <vector>

namespace satellite::benchmarks {

/// The agent and its launcher; not the scripts.
std::vector<pid_t> process_family(pid_t agent);

/// Time on a processor of these processes themselves, without their children, in microseconds.
double processor_time(const std::vector<pid_t>& family);

/// What they hold of memory, shared pages divided among their holders.
double proportional_size_mb(const std::vector<pid_t>& family);

}  // namespace satellite::benchmarks
