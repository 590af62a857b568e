#pragma once

#include "sandbox/planning/file_step.hpp"

#include <sys/types.h>
#include <cstdint>
#include <span>
#include <vector>

namespace satellite::sandbox {

/// Which file of the host a step took, and as of when; all zero = there was none.
struct HostFileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  mode_t type = 0;
  // Of a file alone: what is in a directory shows through its mount.
  std::int64_t size = 0, changed_seconds = 0, changed_nanoseconds = 0;
  bool operator==(const HostFileStamp&) const = default;
};
using HostFileStamps = std::vector<HostFileStamp>;

/// The files of the host that a run is given once, as a copy (resolv.conf) or as a mount: a root
/// that was made before one of them was changed or replaced shows the old one.
HostFileStamps stamps_of_host_files(std::span<const FileStep> steps);

}  // namespace satellite::sandbox
