#pragma once

#include "tests/benchmarks/figures.hpp"

#include <sys/types.h>
#include <string>
#include <vector>

namespace satellite::benchmarks {

/// The reference: bare posix_spawn with a pipe and a wait, from a process as small as a C program.
///
/// Shape:  a child forked before the benchmark grew, unprivileged, that runs what it is told to and
///         sends the times back. Its size matters, since a fork costs what its parent holds.
class ReferenceProcess {
 public:
  ReferenceProcess();
  ~ReferenceProcess();
  ReferenceProcess(const ReferenceProcess&) = delete;
  ReferenceProcess& operator=(const ReferenceProcess&) = delete;

  struct Timing {
    Samples latencies;
    double seconds = 0;  ///< of the whole batch
  };
  /// `runs` times `argv`, `at_a_time` of them side by side.
  Timing measure(const std::vector<std::string>& argv, int runs, int at_a_time);

 private:
  pid_t pid_ = -1;
  int socket_ = -1;
};

}  // namespace satellite::benchmarks
