#pragma once

#include "agent/config/config.hpp"
#include "sandbox/policy_provider.hpp"
#include "sandbox/run.hpp"

namespace satellite::agent {

/// What the operator's settings mean for every run.
sandbox::RunnerSettings runner_settings(const Config& config);

/// The policy in force with this host's own identity in it: ids in a relayed policy were seeded on
/// the core's host (core-contract 9-C10), so the ones the operator configured here outrank them.
sandbox::ResolvedPolicy policy_for_run(sandbox::ResolvedPolicy resolved, const Config& config);

}  // namespace satellite::agent
