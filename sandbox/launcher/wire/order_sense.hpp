#pragma once

#include "sandbox/launcher/wire/launch_order.hpp"

namespace satellite::sandbox {

Error not_an_order(const char* why);

/// Whether what was decoded asks for something that can be. Pure.
///
/// Errors: invalid_input with what contradicts what.
Result<void> make_sense(const LaunchOrder& order);

}  // namespace satellite::sandbox
