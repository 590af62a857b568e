#pragma once

#include "tests/benchmarks/measuring_process.hpp"

#include <string>
#include <vector>

namespace satellite::benchmarks {

/// The reference: bare posix_spawn with a pipe and a wait, from a process as small as a C program.
///
/// Shape:  unprivileged, as scripts are.
class ReferenceProcess {
 public:
  ReferenceProcess();

  /// `runs` times `argv`, `at_a_time` of them side by side.
  Timing measure(const std::vector<std::string>& argv, int runs, int at_a_time);

 private:
  MeasuringProcess process_;
};

}  // namespace satellite::benchmarks
