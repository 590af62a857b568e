#pragma once

#include "sandbox/planning/environment.hpp"

#include <string_view>

namespace satellite::sandbox {

/// Whether bun or node reads this variable when it starts, so that setting it later has no effect.
bool is_read_at_start(std::string_view name);

/// The variables of a module run, in the order given: those that its runtime has to be started
/// with, and those that the bootstrap sets from the task. The latter never stand in a file of
/// /proc.
///
/// Shape:  pure; both keep the order.
struct ModuleVariables {
  NamedValues at_start, late;
};
ModuleVariables module_variables(const NamedValues& all);

}  // namespace satellite::sandbox
