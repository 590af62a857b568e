#pragma once

#include "sandbox/planning/plan.hpp"
#include "sandbox/planning/wrapper_request.hpp"

#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// The nsjail of the reference satellite, up to, and without, the closing `--`: for comparison
/// only. The nsjail that there is has no `--clone_newnet` and no `--nftables_file`, sets limits of
/// its own and shows no /tmp and no /dev, so runs take nsjail_with_view(). Source:
/// reference-satellite 6; nsjail(1).
std::vector<std::string> upstream_nsjail_argv(const WrapperRequest& request);

/// The one command line by which the reference satellite would start this plan: wrapper, `--`,
/// `prlimit`, `--`, command. Our launcher does not use it, since it sets the limits itself; `plan`
/// prints it, so that an operator can try a plan by hand.
///
/// Shape:  with rootless egress the wrapper is started by a script (`egress_script`), which gets
///         the rest as its arguments.
std::vector<std::string> upstream_command_line(
    const Plan& plan, const std::optional<std::string>& egress_script = {});

}  // namespace satellite::sandbox
