#pragma once

#include "sandbox/planning/plan.hpp"

namespace satellite::sandbox {

/// Launch, degrade or refuse: a plan with shortfalls is refused when its policy says `fail`, and
/// one with a shortfall in a layer of `must_hold` whatever its policy says.
Decision decide(Plan plan, const EnforcedLayers& must_hold = {});

/// Adds the synthetic downgrade of a run whose policy is the fail-closed one (core-contract 1.7).
/// It tells the reader why the policy is so strict and refuses nothing by itself.
void report_fail_closed(EffectiveSandbox& report);

}  // namespace satellite::sandbox
