#pragma once

#include "protocol/vocabulary/result.hpp"

#include <sys/types.h>
#include <memory>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// A directory on the file system of the host's root that is the root of runs which show it: their
/// `/` then has its sizes. Empty when it is made; the builder of a root makes the places in it that
/// something is mounted on.
///
/// Shape:  in the scratch area, beside what belongs to runs. A process that starts in such a
///         root holds on to it: a place that is removed on the host takes what is mounted on it
///         along. When the last one lets go, its name is among `unused`, to be removed by somebody
///         who may wait for a disk; the area's end removes whatever is left.
/// Errors: io_failed with what the kernel said; a file system without room gives none.
class DiskRoot {
 public:
  /// Names in the scratch area.
  using Unused = std::shared_ptr<std::vector<std::string>>;

  /// `scratch_area` is the directory of the runs' scratch directories.
  static Result<std::shared_ptr<const DiskRoot>> make(const std::string& scratch_area,
                                                      const Unused& unused);
  DiskRoot(const DiskRoot&) = delete;
  DiskRoot& operator=(const DiskRoot&) = delete;
  ~DiskRoot();

  const std::string& path() const { return path_; }
  /// False when somebody removed it, or began to.
  bool is_whole() const;

 private:
  DiskRoot() = default;

  std::string path_;
  Unused unused_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace satellite::sandbox
