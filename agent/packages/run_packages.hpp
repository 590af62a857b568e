#pragma once

#include "agent/packages/script_packages.hpp"
#include "sandbox/report/run_request.hpp"

#include <boost/asio/awaitable.hpp>

namespace satellite::agent {

/// Gives a module run the packages that it may import; any other run is left as it is. `packages`
/// may be none, the request belongs to the caller.
///
/// Errors: as ScriptPackages::take: the run must not start.
boost::asio::awaitable<Result<void>> give_packages(ScriptPackages* packages,
                                                   sandbox::RunRequest& request,
                                                   const sandbox::CancelSwitch& cancel);

}  // namespace satellite::agent
