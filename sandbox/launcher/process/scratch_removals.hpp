#pragma once

#include "sandbox/kernel/scratch_area.hpp"

#include <sys/types.h>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// Removal of what ended runs left in the scratch area, and of areas that earlier agents left.
///
/// Shape:  a directory of a few files is removed at once, any other by a child process: its size is
///         a script's choice, and the loop neither walks trees nor waits for disks. At most two
///         children work on runs and one on old areas. They die with the launcher; the job of one
///         that dies is tried again, and what cannot be removed waits for the launcher's end.
class ScratchRemovals {
 public:
  explicit ScratchRemovals(kernel::ScratchArea& area) : area_(area) {}

  /// Looks for areas that nobody holds any more, beside all other work.
  void sweep();
  /// Call when no process of the run is alive.
  void remove(const std::string& name);
  /// The same for what is never next to nothing, and nobody waits for.
  void remove_later(const std::string& name);
  /// Whether the process was one of ours; `status` as waitpid(2) gives it.
  bool on_exit(pid_t pid, int status);
  /// Starts what waits and may be started.
  void work();
  /// Old areas can wait for the next start.
  void stop_sweeping();

  /// A job waits that could not be started, and no worker whose end would start it.
  bool is_stuck() const { return !waiting_.empty() && workers_.empty(); }
  bool empty() const { return waiting_.empty() && workers_.empty(); }
  /// Runs whose scratch directory is still there.
  std::size_t pending() const;
  std::vector<pid_t> processes() const;

 private:
  struct Job {
    std::vector<std::string> names;  ///< none = old areas
    int attempts = 0;
    bool is_sweep() const { return names.empty(); }
  };
  struct Worker {
    pid_t pid = -1;
    Job job;
  };

  bool may_start(const Job& job) const;
  bool start(Job& job);

  kernel::ScratchArea& area_;
  std::deque<Job> waiting_;
  std::vector<Worker> workers_;
};

}  // namespace satellite::sandbox
