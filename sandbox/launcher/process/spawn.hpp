#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/bare/init_launch.hpp"

#include <sys/types.h>
#include <cstddef>

namespace satellite::sandbox {

struct Spawned {
  pid_t pid = -1;  ///< negative = errno tells why
  UniqueFd pidfd;
  SetupStep failed_step = SetupStep::fork;  ///< if one did
};

/// The child that becomes the init of a run, or executes it, made in the namespaces that `launch`
/// names.
///
/// Shape:  given a stack it borrows our memory until its exec: what a fork costs is page tables and
///         the faults after it, and that is most of what a launch costs. The code of bare/ writes
///         to nothing but that stack. Without one it is a copy of this process.
///
///         With a control group (the descriptor of its directory) it starts in that group, or not
///         at all; it must then be a copy.
Spawned spawn_init(const bare::InitLaunch& launch, std::byte* stack_end, int control_group = -1);

/// Namespaces that a native run starts below or inside, in the order in which they are entered;
/// -1 = none.
struct SpawnNamespaces {
  int parent_user = -1;    ///< ParentNamespaces
  int parent_mounts = -1;  ///< entered only to make `scratch` a detached mount
  const char* scratch = nullptr;
  int* scratch_tree = nullptr;  ///< takes its descriptor, which is this process's to close
  int root = -1;                ///< the mount namespace of a root template
  int network_user = -1, network = -1;

  bool has_any() const { return parent_user >= 0 || network_user >= 0; }
};

/// The same for a native run that starts in there; `launch` joins none.
///
/// Shape:  only a process in those user namespaces may clone a child into them, and this process
///         must not: an intermediate process, which borrows our memory and has a stack of its own,
///         enters them and clones the child with CLONE_PARENT, as a child of this process. The
///         child's own user namespace is below the last one that was entered.
Spawned spawn_init_inside(const bare::InitLaunch& launch, const SpawnNamespaces& place,
                          std::byte* intermediate_stack_end, std::byte* stack_end,
                          int control_group);

}  // namespace satellite::sandbox
