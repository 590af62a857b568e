#pragma once

#include "tests/benchmarks/measuring_process.hpp"

#include <string>

namespace satellite::benchmarks {

/// The layer that a policy leaves out.
enum class Without { nothing, network, filesystem, both };

/// What is measured: from request to result.
struct RunsToMeasure {
  bool prepared = false;   ///< they stood ready; between the rounds is a pause until they do again
  bool allowlist = false;  ///< with a filtered way out
  bool set_up = false;     ///< only until the script may start
  Without without = Without::nothing;
  int runs = 0, at_a_time = 1;
};

/// The sandbox alone: a process with a launcher and a runner, without network, core or TLS, that
/// runs `echo hi` under the shipped default policy as often as it is told to, with our own engine.
class SandboxProcess {
 public:
  SandboxProcess();

  /// The seconds are those in which runs went on.
  Timing measure(const RunsToMeasure& what);

 private:
  MeasuringProcess process_;
};

}  // namespace satellite::benchmarks
