#pragma once

#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

namespace satellite::sandbox::bare {

// File systems of the host shown without their content. A carrier is a directory of that file
// system which nobody but its owner may enter or list, or one that was removed after it was
// mounted, so that nothing can ever be in it. Mounted at the place of the whole, it gives the true
// sizes, type and device. Same rules as script_child.cpp.
// Source: sandbox/README.md "What of the host is granted".

/// Which file system is to be shown where, and by whom.
struct DiskOrder {
  const char* place = nullptr;   ///< of the host
  std::uint64_t device = 0;      ///< 0 = any
  const char* target = nullptr;  ///< is made
  bool by_root = false;          ///< of the host; else in a user namespace, where root is not known
  bool is_guarded = false;       ///< nobody but root can change the file system's root directory
  bool may_make = true;          ///< a directory of its own, which may wait for the disk
};

/// Mounts a carrier of the file system at the target, read-only. Where none can be had, or the
/// place is not a mount of the device any more, nothing is left.
void show_disk(const DiskOrder& order);

/// For the script's own process with its last identity: each of block.disks that is there lets it
/// neither list nor enter anything, and tells its sizes. Anything else ends the set-up. A prepared
/// run asks again with its task, when Landlock keeps it from listing, but not from entering.
void prove_disks(const Attempt& attempt, const InitBlock& block);

/// Adds to the flags of the mount at `path`. The result is that of the call that failed, or >= 0.
long add_mount_flags(const char* path, std::uint64_t flags);

}  // namespace satellite::sandbox::bare
