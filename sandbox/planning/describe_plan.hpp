#pragma once

#include "sandbox/planning/plan.hpp"

#include <string>

namespace satellite::sandbox {

/// A decision for people and golden tests: one line per step, in the order in which it is done.
///
/// Shape:  values of the environment never appear, only the names; they may be secrets.
std::string describe_plan(const Decision& decision);

}  // namespace satellite::sandbox
