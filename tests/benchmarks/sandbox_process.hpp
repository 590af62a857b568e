#pragma once

#include "tests/benchmarks/figures.hpp"

#include <sys/types.h>
#include <string>

namespace satellite::benchmarks {

/// The sandbox alone: a process with a launcher and a runner, without network, core or TLS, that
/// runs `echo hi` under the shipped default policy as often as it is told to.
///
/// Shape:  forked before the benchmark grew, like the satellite forks its launcher before it does.
class SandboxProcess {
 public:
  SandboxProcess();
  ~SandboxProcess();
  SandboxProcess(const SandboxProcess&) = delete;
  SandboxProcess& operator=(const SandboxProcess&) = delete;

  struct Timing {
    Samples latencies;
    double seconds = 0;  ///< of the whole batch
  };
  /// From request to result; `engine` is `native` or `bwrap`.
  Timing measure(const std::string& engine, int runs, int at_a_time);

 private:
  pid_t pid_ = -1;
  int socket_ = -1;
};

}  // namespace satellite::benchmarks
