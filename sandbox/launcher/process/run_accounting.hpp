#pragma once

#include "sandbox/kernel/cgroup_leaf.hpp"
#include "sandbox/launcher/wire/records.hpp"

namespace satellite::sandbox {

/// Adds to the last record of a run what its control group counted: which limit was reached, and,
/// where init could not tell because it died with the rest, what was used.
void add_usage(const kernel::CgroupLeaf& leaf, const CgroupLimits& limits, LauncherRecord& record);

}  // namespace satellite::sandbox
