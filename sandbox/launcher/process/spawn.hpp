#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/bare/init_launch.hpp"

#include <sys/types.h>
#include <cstddef>

namespace satellite::sandbox {

struct Spawned {
  pid_t pid = -1;  ///< negative = errno tells why
  UniqueFd pidfd;
};

/// The child that becomes the init of a run, or executes it, born into the namespaces that `launch`
/// names.
///
/// Shape:  given a stack it borrows our memory until its exec: what a fork costs is page tables and
///         the faults after it, and that is most of what a launch costs. The code of bare/ writes
///         to nothing but that stack. Without one it is a copy of this process.
///
///         With a control group (the descriptor of its directory) it is born in that group, or not
///         at all; it must then be a copy.
Spawned spawn_init(const bare::InitLaunch& launch, std::byte* stack_end, int control_group = -1);

/// A network namespace and the user namespace that owns it.
struct NetworkNamespaceFds {
  int user = -1, network = -1;
};

/// The same for a native run in a network that another user namespace owns; `launch` joins none.
///
/// Shape:  only a process in that user namespace may clone a child into it, and this process must
///         not: an intermediate process, which borrows our memory and has a stack of its own,
///         enters it and clones the child with CLONE_PARENT, as a child of this process. The
///         child's own user namespace is below the one that owns the network.
Spawned spawn_init_inside(const bare::InitLaunch& launch, NetworkNamespaceFds network,
                          std::byte* intermediate_stack_end, std::byte* stack_end,
                          int control_group);

}  // namespace satellite::sandbox
