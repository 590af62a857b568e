#pragma once

#include "sandbox/planning/identity_plan.hpp"
#include "sandbox/planning/plan.hpp"

#include <vector>

namespace satellite::sandbox {

/// The four layers of a finished plan: asked for, state, mechanism. Evidence stays empty: it is
/// what the launcher measures.
///
/// Shape:  one entry per layer, in the order of Layer; no layer is `enforced` without a mechanism.
std::vector<LayerReport> promised_layers(const Plan& plan, const IdentityPlan& identity);

/// The mechanism that keeps the resource limits of `plan`, or empty when nothing does.
std::string resource_mechanism(const Plan& plan);

}  // namespace satellite::sandbox
