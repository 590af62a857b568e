#pragma once

#include "agent/commands/invocation.hpp"
#include "agent/config/config.hpp"
#include "protocol/vocabulary/result.hpp"
#include "sandbox/policy/policy_provider.hpp"
#include "sandbox/report/run_request.hpp"

namespace satellite::agent {

/// The policy that `exec` was given, or the shipped one.
/// Errors: of its file; of its text.
Result<sandbox::ResolvedPolicy> chosen_policy(const Invocation& invocation);

/// What `exec` is to run: the text of a file as a core would send it, or the line of a check that
/// starts an installed program; with its arguments.
/// Errors: of its files; invalid_input for arguments of a module.
Result<sandbox::RunRequest> request_of(const Invocation& invocation, const Config& config);

}  // namespace satellite::agent
