#pragma once

#include "agent/config/config.hpp"
#include "sandbox/launcher/wire/launcher_settings.hpp"
#include "sandbox/policy/policy_provider.hpp"
#include "sandbox/probing/probe.hpp"
#include "sandbox/running/runner.hpp"

namespace satellite::agent {

/// What the operator's settings mean for every run, and for what comes before it.
sandbox::RunnerSettings runner_settings(const Config& config);
sandbox::LauncherSettings launcher_settings(const Config& config);
sandbox::ProbeSettings probe_settings(const Config& config);

/// What holds of a policy on this host: the one place where the operator's word meets it, for
/// checks, dispatched scripts, `exec` and `plan` alike.
sandbox::ResolvedPolicy policy_for_run(sandbox::ResolvedPolicy resolved, const Config& config);

/// Cuts the timeout down to the longest that the operator permits.
void hold_timeout(sandbox::RunRequest& request, const Config& config);

}  // namespace satellite::agent
