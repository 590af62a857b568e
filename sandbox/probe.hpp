#pragma once

#include "sandbox/host_facts.hpp"
#include "sandbox/plan.hpp"

#include <optional>

namespace satellite::sandbox {

class Launcher;

struct ProbeSettings {
  /// Whom scripts run as when a privileged launcher drops; absent = the overflow user.
  std::optional<Identity> default_identity;
};

/// What this host can really do, found by doing it: a script under every layer of the default
/// policy is started by the launcher and measured at its barrier, exactly as later runs are.
///
/// Shape:  waits, some milliseconds; call it once, before the event loop runs, and keep the value.
/// Errors: none: what does not work is absent, with the reason and a remedy in `findings`.
HostFacts probe_host(Launcher& launcher, const ProbeSettings& settings = {});

}  // namespace satellite::sandbox
