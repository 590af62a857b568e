#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <string>

namespace satellite::sandbox::kernel {

/// The group below which this process may make groups of its own.
struct CgroupHome {
  UniqueFd directory;
  std::string path;     ///< in the hierarchy, as /proc/PID/cgroup has it
  bool is_own = false;  ///< this process lives in it
};

/// Where that is, found by looking: our own line in /proc/self/cgroup, the mount, owners, marks.
///
/// Errors: unsupported with the cause: no v2 hierarchy, not mounted, not ours.
Result<CgroupHome> find_cgroup_home();

/// Moves everything that lives in `home` to its sub-group `supervisor`: only groups without
/// processes can give controllers down. Nothing to do in the root group, which is exempt.
Result<void> clear_of_processes(const CgroupHome& home);

}  // namespace satellite::sandbox::kernel
