#pragma once

#include <sys/types.h>
#include <vector>

namespace satellite::benchmarks {

/// The agent and its launcher; not the scripts.
std::vector<pid_t> process_family(pid_t agent);

/// Time on a processor of these processes themselves, without their children, in microseconds.
double processor_time(const std::vector<pid_t>& family);

/// Of the children that a process has waited for, in microseconds, in steps of its clock's ticks.
double processor_time_of_children(pid_t process);

/// Pages that were not there when they were used, since a process began.
struct PageFaults {
  double own = 0, of_children = 0;  ///< children that it has waited for
};
PageFaults page_faults(pid_t process);

/// What they hold of memory, shared pages divided among their holders.
double proportional_size_mb(const std::vector<pid_t>& family);

}  // namespace satellite::benchmarks
