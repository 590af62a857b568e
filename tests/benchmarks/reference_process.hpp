#pragma once

#include "tests/benchmarks/measuring_process.hpp"

#include <string>
#include <vector>

namespace satellite::benchmarks {

/// The reference: bare posix_spawn with a pipe and a wait, from a process as small as a C program.
///
/// Shape:  unprivileged, as scripts are, unless the reference needs to be root.
class ReferenceProcess {
 public:
  enum class User { of_scripts, own };
  explicit ReferenceProcess(User user = User::of_scripts);

  /// `runs` times `argv`, `at_a_time` of them side by side. A word `{number}` is another one for
  /// each.
  Timing measure(const std::vector<std::string>& argv, int runs, int at_a_time);

 private:
  MeasuringProcess process_;
};

}  // namespace satellite::benchmarks
