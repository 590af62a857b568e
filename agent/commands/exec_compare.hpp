#pragma once

#include "agent/commands/invocation.hpp"
#include "agent/config/config.hpp"
#include "sandbox/policy/policy_provider.hpp"
#include "sandbox/report/run_request.hpp"

namespace satellite::agent {

/// `exec --compare`: runs the script without a sandbox, as the user that scripts have, then in the
/// sandbox, and once more with the grants that it seems to need; prints what differs. With
/// `--grants` only the section of the settings file that is proposed.
///
/// Shape:  the exit code is 0 where sandbox and host give the same answer, or would with the grants
///         proposed; 1 where they do not, or only numbers differ and a hint says why they may. The
///         script runs up to three times: it must bear that.
int exec_compare(const Invocation& invocation, const Config& config, sandbox::ResolvedPolicy policy,
                 sandbox::RunRequest request);

}  // namespace satellite::agent
