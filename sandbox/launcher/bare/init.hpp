#pragma once

#include "sandbox/launcher/bare/init_block.hpp"

namespace satellite::sandbox::bare {

/// Is the init of one run, on the descriptors of init_block.hpp, until the script and everything it
/// left behind are dead. Never returns.
///
/// Shape:  pid 1 of the run's pid namespace, or (engine `none`) a child subreaper. Starts the
///         script, reaps, takes InitCommands, reports the end once; end of file on the control
///         socket means that the launcher is gone and kills the tree.
///         `own` is its block when it lies in memory already; else it is mapped from its
///         descriptor.
[[noreturn]] void run_init(InitBlock* own = nullptr);

/// Maps the block behind `fd` as a private, writable copy. A failure is reported on `report_fd` and
/// ends this process. Same rules as script_child.cpp.
InitBlock& map_block(int fd, int report_fd);

/// Turns the offsets of the block's arrays into pointers, where they stand.
void relocate_all(InitBlock& block, int report_fd);

}  // namespace satellite::sandbox::bare
