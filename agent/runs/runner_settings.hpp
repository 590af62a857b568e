#pragma once

#include "agent/config/config.hpp"
#include "sandbox/launcher_settings.hpp"
#include "sandbox/policy_provider.hpp"
#include "sandbox/probe.hpp"
#include "sandbox/run.hpp"

namespace satellite::agent {

/// What the operator's settings mean for every run, and for what comes before it. The uplink for
/// runs, CHECKSTACK_SANDBOX_MACVLAN_*, is taken from the environment alone, as upstream does.
sandbox::RunnerSettings runner_settings(const Config& config);
sandbox::LauncherSettings launcher_settings(const Config& config);
sandbox::ProbeSettings probe_settings(const Config& config);

/// The policy in force with this host's own identity in it: ids in a relayed policy were seeded on
/// the core's host (core-contract 9-C10), so the ones the operator configured here outrank them.
sandbox::ResolvedPolicy policy_for_run(sandbox::ResolvedPolicy resolved, const Config& config);

}  // namespace satellite::agent
