#pragma once

#include "sandbox/launcher/bare/native_setup.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

namespace satellite::sandbox::bare {

/// Builds the run's file view in a mount namespace of its own and moves into it. Same rules as
/// script_child.cpp. Each mount is made read-only while nobody can reach it yet, and with all below
/// it; what really came of it is measured from outside at the barrier.
void build_file_view(const Attempt& attempt, const NativeSetup& setup);

}  // namespace satellite::sandbox::bare
