#pragma once

#include "sandbox/launcher/bare/init_block.hpp"

namespace satellite::sandbox::bare {

/// A private, writable copy of the block behind `fd`. A failure is told on `report_fd` and is the
/// end of this process. Same rules as script_child.cpp.
InitBlock& map_block(int fd, int report_fd);

/// Turns the offsets of the block's arrays into pointers, where they stand.
void relocate_all(InitBlock& block, int report_fd);

}  // namespace satellite::sandbox::bare
