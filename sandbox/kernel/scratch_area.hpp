#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <sys/types.h>
#include <cstdint>
#include <string>
#include <utility>

namespace satellite::sandbox::kernel {

/// The directory of one agent under which every run gets its scratch directory.
///
/// Shape:  `<parent>/csat-<random>`, mode 0711, locked (flock) for as long as one process of the
///         agent lives. A lock that can be taken is the proof that an area is stale: pids can be
///         reused and may belong to another container, a lock does not lie.
/// Errors: from the calls; a stale area that cannot be removed is left for the next start.
class ScratchArea {
 public:
  static Result<ScratchArea> make(const std::string& parent);

  const std::string& path() const { return path_; }
  /// What a forked process must keep open to go on using the area.
  std::pair<int, int> descriptors() const { return {directory_.get(), parent_.get()}; }

  /// Makes `name` for one run: exclusive, mode 0700, owned by `uid` and `gid`.
  Result<void> make_directory(const std::string& name, uid_t uid, gid_t gid) const;

  enum class Removal { done, more_left };
  /// Removes `name` and all below it without following any link; stops after `entries_max` entries.
  /// The caller made sure that nothing of the run is alive.
  Removal remove_directory(const std::string& name, std::uint64_t entries_max) const;

  /// Removes the whole area; only at the end of the last process that uses it.
  void remove() const;

 private:
  std::string path_;
  UniqueFd parent_, directory_;
};

/// Removes areas under `parent` that no living process holds.
void sweep_stale_areas(const std::string& parent);

}  // namespace satellite::sandbox::kernel
