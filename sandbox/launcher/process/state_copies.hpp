#pragma once

#include "sandbox/launcher/process/launched_run.hpp"

#include <sys/types.h>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// The processes that copy what checks keep into the memory of their runs, and out of it.
///
/// Shape:  each is a child of the launcher with the script's user and without capabilities; it sees
///         one directory and one file (Landlock, where the kernel has it), may make few system
///         calls, and is killed after ten seconds. The loop neither walks trees nor reads them. Its
///         directory is the run's memory file system, by a descriptor: it enters no namespace.
class StateCopies {
 public:
  explicit StateCopies(std::uint32_t landlock_abi) : landlock_abi_(landlock_abi) {}

  /// True where the run has a state to get before its script may go: `started` is to be sent when
  /// on_exit gives it back.
  bool fill(LaunchedRun& run, const LauncherRecord& started);
  /// For a run whose processes are dead. True while what they left is being packed.
  bool pack(LaunchedRun& run);

  struct Ended {
    std::uint64_t run_number = 0;
    std::optional<LauncherRecord> started;  ///< that fill() was given
    std::string problem;                    ///< empty = it was copied
  };
  /// Whether the process was one of ours, and what came of it; `status` as waitpid(2) gives it.
  std::optional<Ended> on_exit(pid_t pid, int status);
  /// The run is gone: nobody wants it any more.
  void abandon(std::uint64_t run_number);
  void end();

  std::vector<pid_t> processes() const;

 private:
  struct Worker {
    pid_t pid = -1;
    std::uint64_t run_number = 0;
    std::optional<LauncherRecord> started;
    UniqueFd words;  ///< where it says what went wrong
  };
  bool works_for(std::uint64_t run_number) const;
  bool start(const LaunchedRun& run, std::optional<LauncherRecord> started);

  std::uint32_t landlock_abi_;
  std::vector<Worker> workers_;
};

}  // namespace satellite::sandbox
