#pragma once

#include <map>
#include <string>
#include <vector>

namespace satellite::agent {

/// Variables that look like settings of ours and are none: a slip of the pen would otherwise be a
/// default that nobody asked for. Each with the one that may have been meant. Pure.
///
/// Shape:  CHECKSTACK_CORE_…, CHECKSTACK_SATELLITE_… and CHECKSTACK_SANDBOX_… only, since scripts
///         are given others, and may start this program; at most 16, and never a value.
std::vector<std::string> unknown_variables(const std::map<std::string, std::string>& environment);

}  // namespace satellite::agent
