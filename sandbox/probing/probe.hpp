#pragma once

#include "sandbox/host/engines.hpp"
#include "sandbox/host/host_facts.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/host/macvlan_settings.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <vector>

namespace satellite::sandbox {

class Launcher;

struct ProbeSettings {
  /// Whom scripts run as when a privileged launcher drops; absent = the overflow user.
  std::optional<Identity> default_identity{};
  ConfiguredMacvlan macvlan{};  ///< the uplink that the launcher was started with
  /// Off: what a run's way out needs is tried when the first run needs it (sandbox/probing/egress).
  bool tries_egress = true;
  /// The engines that runs may use. A wrapper is tried when it is one of them, nsjail only where no
  /// other engine works.
  std::vector<Engine> engines{Engine::native, Engine::bwrap, Engine::nsjail};
  /// For a person who wants to know, and for questions about any engine.
  bool tries_every_engine = false;
};

/// What this host can really do, found by doing it: a script under every layer of the default
/// policy is started by the launcher and measured at its barrier, exactly as later runs are.
///
/// Shape:  takes some ten milliseconds, while the loop goes on with other work; call it once and
///         keep the value. The launcher is attached to `context` before.
/// Errors: none: what does not work is absent, with the reason and a remedy in `findings`.
boost::asio::awaitable<HostFacts> probe_host(boost::asio::io_context& context, Launcher& launcher,
                                             ProbeSettings settings);

/// The same for callers with nothing else to do: runs the loop until the facts are known.
HostFacts probe_host_first(boost::asio::io_context& context, Launcher& launcher,
                           ProbeSettings settings = {});

/// The same and what only a person reads (`doctor`): filters tried in throw-away children, programs
/// run for their version. It takes longer, and nothing of it changes a plan.
HostFacts examine_host(boost::asio::io_context& context, Launcher& launcher,
                       ProbeSettings settings = {});

}  // namespace satellite::sandbox
