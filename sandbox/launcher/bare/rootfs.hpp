#pragma once

#include "sandbox/launcher/bare/native_setup.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

namespace satellite::sandbox::bare {

/// Builds the run's root file system in its own mount namespace and pivots into it. Same rules as
/// script_child.cpp. A mount gets its flags, recursively, before it is attached; the launcher reads
/// the result from outside at the barrier.
void build_rootfs(const Attempt& attempt, const NativeSetup& setup);

}  // namespace satellite::sandbox::bare
