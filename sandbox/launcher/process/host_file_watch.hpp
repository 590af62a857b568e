#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/process/host_file_stamps.hpp"
#include "sandbox/planning/file_step.hpp"

#include <span>
#include <vector>

namespace satellite::sandbox {

/// Tells whether anything can have happened to the files of the host that these steps take.
///
/// Shape:  watches what is mirrored, and each directory on the way to it. It only spares work:
///         whoever is told that something happened looks at the files themselves, and makes a new
///         watch first, since directories may have come. What cannot be watched is `unwatched`, to
///         be looked at each time: a file that is found through links, one on a file system that
///         others write to without this kernel's knowledge. A host that gives no watches counts
///         as changed every time.
/// Source: inotify(7).
class HostFileWatch {
 public:
  HostFileWatch() = default;
  explicit HostFileWatch(std::span<const FileStep> steps);

  /// Since it was made.
  bool saw_nothing() const;
  std::span<const FileStep> unwatched() const { return unwatched_; }
  const HostFileStamps& unwatched_stamps() const { return unwatched_stamps_; }

 private:
  bool watch(const FileStep& step);

  UniqueFd events_;  ///< absent = nothing is known
  std::vector<FileStep> unwatched_;
  HostFileStamps unwatched_stamps_;
};

}  // namespace satellite::sandbox
