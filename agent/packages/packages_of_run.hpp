#pragma once

#include "agent/packages/script_packages.hpp"
#include "sandbox/report/outcome.hpp"
#include "sandbox/report/run_request.hpp"

#include <boost/asio/awaitable.hpp>

namespace satellite::agent {

/// Gives a run in JavaScript the tree of packages that the core wants, which stays on disk for as
/// long as the request or the run has it; a shell run gets nothing. Waits where it has to, no
/// longer than the run may take.
///
/// Errors: as ScriptPackages::take. The request and the switch are the caller's, who waits.
boost::asio::awaitable<Result<void>> add_packages(ScriptPackages& packages,
                                                  sandbox::RunRequest& request,
                                                  const sandbox::CancelSwitch& cancel);

/// How a run ends that got no packages: it never began.
sandbox::RunResult result_without_packages(const Error& error, const sandbox::Policy& policy);

}  // namespace satellite::agent
