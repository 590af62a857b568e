#pragma once

#include "sandbox/hints/hints.hpp"
#include "sandbox/planning/plan.hpp"

#include <string>
#include <vector>

namespace satellite::sandbox {

/// What a run of this plan shows its script of the host. Pure.
HostInView host_in_view(const Plan& plan, const std::vector<std::string>& measured_grants);

}  // namespace satellite::sandbox
