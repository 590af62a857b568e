#pragma once

#include "agent/commands/invocation.hpp"

namespace satellite::agent {

/// `packages sync`: connects to the core as this satellite for as long as it takes to have the
/// packages that the core wants, and runs nothing; the exit code. Not beside a running satellite,
/// which does the same by itself.
int sync_packages(const Invocation& invocation);

}  // namespace satellite::agent
