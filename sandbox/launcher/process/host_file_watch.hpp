#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/planning/file_step.hpp"

#include <span>

namespace satellite::sandbox {

/// Tells whether anything can have happened to the files of the host that these steps take.
///
/// Shape:  watches each file and its directory. It only spares work: whoever is told that something
///         happened looks at the files themselves. A file system on which others may write without
///         this kernel's knowledge, and a host that gives no watches, count as changed every time.
/// Source: inotify(7).
class HostFileWatch {
 public:
  HostFileWatch() = default;
  explicit HostFileWatch(std::span<const FileStep> steps);

  /// Since it was made, or since the last call that returned false.
  bool saw_nothing();

 private:
  UniqueFd events_;  ///< absent = nothing is known
};

}  // namespace satellite::sandbox
