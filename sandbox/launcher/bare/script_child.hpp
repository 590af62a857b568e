#pragma once

#include "sandbox/launcher/bare/init_block.hpp"

namespace satellite::sandbox::bare {

/// What the child of init knows of init.
struct InitSide {
  long pid = 0;
  long filtered_fd = -1;  ///< an event: init has its system call filter; -1 = it gets none
};

/// Runs in the child of init; never returns. `block` is mapped and relocated.
[[noreturn]] void become_script(const InitBlock& block, const InitSide& init);

/// All signals: blocked or not, dispositions back to default.
void set_signal_mask(bool blocked);
void reset_signal_dispositions();

}  // namespace satellite::sandbox::bare
