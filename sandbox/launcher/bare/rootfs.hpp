#pragma once

#include "sandbox/launcher/bare/native_setup.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

namespace satellite::sandbox::bare {

/// Builds the run's root file system in its own mount namespace and pivots into it. Same rules as
/// script_child.cpp. A mount gets its flags, recursively, before it is attached; the launcher reads
/// the result from outside at the barrier.
void build_rootfs(const Attempt& attempt, const NativeSetup& setup);

/// The part of it that runs may share: the first root_step_count steps, sealed, as the root of the
/// caller's mount namespace, of which runs then get copies.
void build_template(const Attempt& attempt, const NativeSetup& setup);

/// The rest of it in a copy of a template: the proc of the caller's pid namespace, then everything
/// else.
void mount_own_proc(const Attempt& attempt, const NativeSetup& setup);
void complete_rootfs(const Attempt& attempt, const NativeSetup& setup);

}  // namespace satellite::sandbox::bare
