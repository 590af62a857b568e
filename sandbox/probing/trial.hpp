#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/host/host_facts.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"
#include "sandbox/policy/policy.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// How a trial ended; nothing = the launcher did not answer in time.
using TrialOutcome = std::optional<LauncherRecord>;

/// Runs an order to its end beside whatever else goes on, output discarded. What was measured of a
/// script that came to its barrier goes to `measured`, if that is not null.
boost::asio::awaitable<TrialOutcome> try_order(boost::asio::io_context& context, Launcher& launcher,
                                               LaunchOrder order, Posture* measured = nullptr);
/// Tries namespaces in a throw-away child; the answer is that of a run.
boost::asio::awaitable<TrialOutcome> try_namespaces(boost::asio::io_context& context,
                                                    Launcher& launcher,
                                                    std::optional<Identity> identity);

/// Empty when the trial reached its script and ended well, else why not.
std::string problem_of_trial(const TrialOutcome& end);
/// The errno of a failed set-up; 0 = none.
int error_number_of(const TrialOutcome& end);

/// A run of `true` without a wrapper, with one limit, for the launcher to try.
LaunchOrder bare_trial(Launcher& launcher, const std::optional<Identity>& identity);

/// A run of `true` under `policy` on a host that has what is hoped for, by one of `engines`.
/// Errors: unsupported when the plan is a refusal even so.
Result<LaunchOrder> trial_order(Launcher& launcher, const HostFacts& hoped, const Policy& policy,
                                const std::optional<Identity>& identity,
                                const std::vector<Engine>& engines);

}  // namespace satellite::sandbox
