#pragma once

#include "sandbox/planning/plan_builder.hpp"

namespace satellite::sandbox {

/// What does not depend on the wrapper: the output cap, the control group, a runtime's heap limit.
void plan_limits(PlanBuilder& builder);

/// What does: the limits of the script's processes, and whether all of this enforces the layer.
void plan_settings(PlanBuilder& builder);

}  // namespace satellite::sandbox
