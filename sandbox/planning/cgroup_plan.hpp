#pragma once

#include "sandbox/host/host_facts.hpp"
#include "sandbox/kernel/cgroup_limits.hpp"
#include "sandbox/policy/policy.hpp"

#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// Init and a wrapper's monitor are in the group too; pids.max is raised by these two.
inline constexpr std::uint64_t cgroup_own_processes = 2;

/// The limits of the policy that a control group can keep on this host.
CgroupLimits cgroup_limits(const ResourceLimits& limits, const HostFacts& facts,
                           std::optional<std::uint64_t> cpu_percent);

/// The limits as files of a group and what goes into them, in order.
std::vector<CgroupWrite> cgroup_writes(const CgroupLimits& limits);

/// The limits that were not read back as written; empty = all hold.
std::vector<std::string> missing_of(const CgroupLimits& limits, const MeasuredCgroup& measured);

/// `memory.max 536870912, memory.swap.max 0, pids.max 66 read back`; empty when nothing was read.
std::string evidence_of(const MeasuredCgroup& measured);

/// `memory, pids`: what the group limits, for the mechanism of the layer.
std::string controllers_of(const CgroupLimits& limits);

}  // namespace satellite::sandbox
