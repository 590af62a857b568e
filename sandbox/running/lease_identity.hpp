#pragma once

#include "sandbox/launcher/client/identity_pool.hpp"
#include "sandbox/running/cancel_switch.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

namespace satellite::sandbox {

using Leased = std::optional<IdentityPool::Lease>;

/// The ids of the run's own from the pool, if there is a pool.
///
/// Shape:  waits while too few are free. The range has one for every run that is admitted, but a
///         run that ended keeps its own until its last process is reaped, and some take two.
///         Nothing when cancelled.
/// Errors: limit_exceeded when none became free within a bound.
boost::asio::awaitable<Result<Leased>> lease_identity(boost::asio::io_context& context,
                                                      IdentityPool* pool, OwnIds wanted,
                                                      CancelSwitch& cancel);

}  // namespace satellite::sandbox
