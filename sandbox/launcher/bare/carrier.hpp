#pragma once

#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

namespace satellite::sandbox::bare {

// File systems of the host shown without their content. A carrier is a directory of that file
// system which nobody but its owner may enter or list, or one that was removed after it was
// mounted, so that nothing can ever be in it. Mounted at the place of the whole, it gives the true
// sizes, type and device. Same rules as script_child.cpp.
// Source: sandbox/README.md "What of the host is granted".

/// Mounts a carrier of the file system that is mounted at `place` at `target`, which it makes,
/// read-only. Where none can be had, or the place is not a mount of `device` any more (0 = of any),
/// nothing is left.
void show_disk(const char* place, std::uint64_t device, const char* target);

/// For the script's own process with its last identity: each of block.disks that is there lets it
/// neither list nor enter anything, and tells its sizes. Anything else ends the set-up.
void prove_disks(const Attempt& attempt, const InitBlock& block);

/// Adds to the flags of the mount at `path`. The result is that of the call that failed, or >= 0.
long add_mount_flags(const char* path, std::uint64_t flags);

}  // namespace satellite::sandbox::bare
