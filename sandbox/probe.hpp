#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/host_facts.hpp"
#include "sandbox/macvlan_settings.hpp"
#include "sandbox/plan.hpp"
#include "sandbox/policy.hpp"

#include <optional>
#include <string>

namespace satellite::sandbox {

class Launcher;
struct LauncherRecord;
struct LaunchOrder;

struct ProbeSettings {
  /// Whom scripts run as when a privileged launcher drops; absent = the overflow user.
  std::optional<Identity> default_identity{};
  ConfiguredMacvlan macvlan{};  ///< the uplink that the launcher was started with
  /// Off: what a run's way out needs is tried when the first run needs it (sandbox/probe_egress).
  bool tries_egress = true;
};

/// As whom the trials run under a privileged launcher.
Identity identity_of_trials(const ProbeSettings& settings);

/// A run of `true` under `policy` on a host that has what is hoped for. Errors: unsupported when
/// the plan is a refusal even so.
Result<LaunchOrder> trial_order(Launcher& launcher, const HostFacts& hoped, const Policy& policy,
                                const std::optional<Identity>& identity);

/// Empty when the trial reached its script and ended well, else why not.
std::string problem_of_trial(const std::optional<LauncherRecord>& end);

/// What this host can really do, found by doing it: a script under every layer of the default
/// policy is started by the launcher and measured at its barrier, exactly as later runs are.
///
/// Shape:  waits, some milliseconds; call it once, before the event loop runs, and keep the value.
/// Errors: none: what does not work is absent, with the reason and a remedy in `findings`.
HostFacts probe_host(Launcher& launcher, const ProbeSettings& settings = {});

/// The same and whatever else a person wants to know (`doctor`): filters tried in throw-away
/// children, programs run for their version. Takes its time; nothing of it changes a plan.
HostFacts examine_host(Launcher& launcher, const ProbeSettings& settings = {});

}  // namespace satellite::sandbox
