#pragma once

#include "sandbox/launcher/bare/native_setup.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

namespace satellite::sandbox::bare {

/// Does one step of a native run's root, relative to the working directory. Same rules as
/// script_child.cpp; a failure ends the process, but for an optional step whose source is not
/// there.
void build_rootfs_step(const Attempt& attempt, const NativeSetup& setup, int index);

}  // namespace satellite::sandbox::bare
