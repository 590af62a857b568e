#pragma once

#include "sandbox/planning/native_plan.hpp"

#include <sys/types.h>
#include <cstdint>
#include <vector>

namespace satellite::sandbox {

/// Which file of the host a run's copy was made of, and as of when; all zero = there was none.
struct CopiedFileStamp {
  dev_t device = 0;
  ino_t inode = 0;
  std::int64_t size = 0, changed_seconds = 0, changed_nanoseconds = 0;
  bool operator==(const CopiedFileStamp&) const = default;
};
using CopiedFileStamps = std::vector<CopiedFileStamp>;

/// The files whose content a run gets as a copy, such as resolv.conf: a run that was prepared
/// before one of them changed would see the old one.
CopiedFileStamps stamps_of_copied_files(const NativePlan& plan);

}  // namespace satellite::sandbox
