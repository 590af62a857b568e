#pragma once

#include "sandbox/planning/host_paths.hpp"
#include "sandbox/planning/plan.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// In one run; an order has a bit for each.
inline constexpr std::size_t shown_disks_max = 64;

/// What a run has that decides which file systems it can show.
struct DiskQuestion {
  bool by_native_engine = false;
  /// Of the run. What stands for the host's root directory is made on the same file system.
  std::string scratch_directory;
  std::vector<std::string> shown_paths;  ///< where other grants show the host's content
};

/// The local file systems of this host, for one run.
///
/// Shape:  `disks` in the order of their places, `/` first. One whose place would hold something
///         else of the run cannot be shown and is a remark; `covers` are such places, for which
///         something of the run's own has to stand, lest the file system above answer for them.
struct ShownDisks {
  std::vector<ShownDisk> disks;
  std::vector<std::string> covers;
  /// Well-known directories of the host's root file system: so that asking for their sizes is
  /// answered. Nothing is in them, and nobody can list them.
  std::vector<std::string> places;
  std::vector<std::string> grants;   ///< for the report: what is to be shown
  std::vector<std::string> remarks;  ///< and what is not, with the reason

  /// Every place of the run gives figures of the host.
  bool are_whole() const;
};

/// Looks for what can be shown by its sizes alone.
///
/// Shape:  pure; `host` answers. Only the table of mounts is read of file systems that may wait for
///         another machine or program, and nothing is looked up below them.
/// Source: sandbox/README.md "What of the host is granted".
ShownDisks find_disks(const HostPaths& host, const DiskQuestion& question);

/// `/data (ext4)`.
std::string name_of(const ShownDisk& disk);

}  // namespace satellite::sandbox
