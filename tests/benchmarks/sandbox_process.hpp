#pragma once

#include "tests/benchmarks/measuring_process.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace satellite::benchmarks {

/// The layer that a policy leaves out.
enum class Without { nothing, network, filesystem, both };

/// What is measured: from request to result.
struct RunsToMeasure {
  bool prepared = false;   ///< they stood ready; between the rounds is a pause until they do again
  bool allowlist = false;  ///< with a filtered way out
  bool set_up = false;     ///< only until the script may start
  bool state = false;      ///< their check keeps 1 MiB in a hundred files, copied in and out
  bool host_view = false;  ///< shows disks, processes, system and four ports
  Without without = Without::nothing;
  int runs = 0, at_a_time = 1;
};

/// What stands ready before a run needs it.
enum class Ahead { everything, roots, networks, nothing };

/// What a batch of runs cost, beside its times: shares are those of all runs, times in
/// microseconds of one run.
struct RunCosts {
  double roots_ready = 0, networks_ready = 0;
  double caller = 0, launcher = 0;  ///< on a processor: the process that wants runs, the launcher
  double set_up = 0;                ///< inits and builders
  double script = 0;                ///< from the start of its program on
  double launcher_faults = 0, faults_below = 0;  ///< of pages, numbers: the launcher, all below it
};

/// The sandbox alone: a process with a launcher and a runner, without network, core or TLS, that
/// runs `echo hi` under the shipped default policy as often as it is told to, with our own engine.
class SandboxProcess {
 public:
  explicit SandboxProcess(Ahead ahead = Ahead::everything);
  /// On a host with a small file system mounted at each of these places, for this process alone.
  explicit SandboxProcess(const std::vector<std::string>& disks);

  /// The seconds are those in which runs went on.
  Timing measure(const RunsToMeasure& what);
  /// Runs a script that is shown this port of the host's loopback; the numbers that it printed.
  std::vector<double> run_script(const std::string& text, std::uint16_t port);
  static RunCosts costs_of(const Timing& timing);
  /// The launcher's process id.
  pid_t launcher();

 private:
  MeasuringProcess process_;
};

}  // namespace satellite::benchmarks
