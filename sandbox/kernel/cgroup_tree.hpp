#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/kernel/cgroup_leaf.hpp"
#include "sandbox/kernel/cgroup_limits.hpp"

#include <string>
#include <vector>

namespace satellite::sandbox::kernel {

/// The control groups of one launcher: `<what was given to us>/csat-<random>/run-<number>`.
///
/// Shape:  making it moves the satellite itself into the sub-group `supervisor` if it stands in the
///         way, gives the controllers down, removes what dead launchers left, and locks a group of
///         its own (flock) for as long as this process lives: a lock that can be taken is the proof
///         that a group is stale. Only where the tree was really given to us: delegated by the
///         service manager, owned by our user, or the root of a container without a manager.
/// Errors: unsupported, not_permitted, io_failed with the cause; then runs have no groups at all.
/// Source: Documentation/admin-guide/cgroup-v2.rst, "Delegation" and "No Internal Process
///         Constraint"; systemd's
///         CGROUP_DELEGATION.
class CgroupTree {
 public:
  static Result<CgroupTree> make();
  CgroupTree(CgroupTree&& other) noexcept;
  CgroupTree& operator=(CgroupTree&&) = delete;
  ~CgroupTree();

  const CgroupControllers& controllers() const { return controllers_; }
  /// The path of the group that holds the runs, as /proc/PID/cgroup has it.
  const std::string& path() const { return path_; }

  /// Errors: unsupported when a limit needs a controller that is not there.
  Result<CgroupLeaf> make_leaf(std::string name, const CgroupLimits& limits,
                               const std::vector<CgroupWrite>& writes) const;

 private:
  CgroupTree() = default;
  UniqueFd base_, area_;
  std::string name_, path_;
  CgroupControllers controllers_;
};

}  // namespace satellite::sandbox::kernel
