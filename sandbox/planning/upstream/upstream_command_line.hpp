#pragma once

#include "sandbox/planning/plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// The one command line by which the upstream satellite would start this plan: wrapper, `--`,
/// `prlimit`, `--`, command. Our launcher does not use it, since it sets the limits itself; `plan`
/// prints it, so that an operator can try a plan by hand.
///
/// Shape:  with rootless egress the wrapper is started by a script (`egress_script`), which gets
///         the rest as its arguments.
std::vector<std::string> seed_command_line(const Plan& plan,
                                           const std::optional<std::string>& egress_script = {});

}  // namespace satellite::sandbox
