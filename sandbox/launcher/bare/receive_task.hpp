#pragma once

#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/bare/setup_attempt.hpp"

namespace satellite::sandbox::bare {

/// The task of a prepared run, as it comes through the barrier: what to execute, with its streams
/// in place. Waits for it behind every layer; the end of the socket is the end of this process.
const InitBlock& receive_task(const Attempt& attempt);

}  // namespace satellite::sandbox::bare
