#pragma once

#include "agent/runtime/degraded_states.hpp"
#include "agent/runtime/log.hpp"
#include "sandbox/report/outcome.hpp"

namespace satellite::agent {

/// What the host or the limits of this process do not give to runs, as a degraded state.
///
/// Shape:  `no_descriptors`, `no_memory` or `no_processes` from the first run that could not be
///         started for that reason until one is started again. Each such run reports its own
///         failure; the log tells of the state once.
class RunResources {
 public:
  RunResources(Log& log, DegradedStates& degraded) : log_(log), degraded_(degraded) {}

  void note(const sandbox::RunResult& result);

 private:
  Log& log_;
  DegradedStates& degraded_;
};

}  // namespace satellite::agent
