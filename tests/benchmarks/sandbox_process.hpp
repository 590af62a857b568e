#pragma once

#include "tests/benchmarks/measuring_process.hpp"

#include <string>

namespace satellite::benchmarks {

/// The layer that a policy leaves out.
enum class Without { nothing, network, filesystem, both };

/// The sandbox alone: a process with a launcher and a runner, without network, core or TLS, that
/// runs `echo hi` under the shipped default policy as often as it is told to.
class SandboxProcess {
 public:
  SandboxProcess();

  /// From request to result; `engine` is `native` or `bwrap`.
  Timing measure(const std::string& engine, int runs, int at_a_time,
                 Without without = Without::nothing);

 private:
  MeasuringProcess process_;
};

}  // namespace satellite::benchmarks
