#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/bare/init_launch.hpp"

#include <sys/types.h>
#include <cstddef>
#include <span>

namespace satellite::sandbox {

struct Spawned {
  pid_t pid = -1;  ///< negative = errno tells why
  UniqueFd pidfd;
};

/// The child that becomes the init of a run, born into the namespaces that `launch` names.
///
/// Shape:  it goes on as a copy of this process, or, given a stack, as one that borrows our memory
///         until the exec of its wrapper: what a fork costs is page tables and the faults after
///         it, and that is most of what a launch costs. script_child.cpp writes to nothing but that
///         stack.
///
///         With a control group (the descriptor of its directory) it is born in that group, or not
///         at all; it is then always a copy, because glibc has no clone3(2) for a stack.
Spawned spawn_init(const bare::InitLaunch& launch, std::byte* stack_end, int control_group = -1);

/// A namespace that exists, and its CLONE_NEW*.
struct EnteredNamespace {
  int fd = -1;
  int kind = 0;
};

/// The same for a native run that is born in namespaces which exist already, and makes its own
/// below or beside them: those of a root template, and those of a network.
///
/// Shape:  only a process in there can clone such a child, and this process must stay where it is:
///         an intermediate process with CLONE_VM enters them in this order and clones the child
///         with CLONE_PARENT, as a child of this process. Its stack, which the child gets a copy
///         of, must be given.
Spawned spawn_init_inside(const bare::InitLaunch& launch, std::span<const EnteredNamespace> places,
                          std::byte* stack_end, int control_group);

}  // namespace satellite::sandbox
