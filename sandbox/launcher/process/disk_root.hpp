#pragma once

#include "protocol/vocabulary/result.hpp"

#include <sys/types.h>
#include <memory>
#include <string>

namespace satellite::sandbox {

/// A directory on the file system of the host's root that is the root of runs which show it: their
/// `/` then has its sizes. Empty when it is made; the builder of a root makes the places in it that
/// something is mounted on.
///
/// Shape:  in the scratch area, beside what belongs to runs. Whoever is born in such a root holds
///         on to it: a place that is removed on the host takes what is mounted on it along. The
///         last one removes it, and the area's end whatever is left.
/// Errors: io_failed with what the kernel said; a file system without room gives none.
class DiskRoot {
 public:
  /// `scratch_area` is the directory of the runs' scratch directories.
  static Result<std::shared_ptr<const DiskRoot>> make(const std::string& scratch_area);
  DiskRoot(const DiskRoot&) = delete;
  DiskRoot& operator=(const DiskRoot&) = delete;
  ~DiskRoot();

  const std::string& path() const { return path_; }
  /// False when somebody removed it, or began to.
  bool is_whole() const;

 private:
  DiskRoot() = default;

  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace satellite::sandbox
