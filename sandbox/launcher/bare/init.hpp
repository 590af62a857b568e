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

}  // namespace satellite::sandbox::bare
