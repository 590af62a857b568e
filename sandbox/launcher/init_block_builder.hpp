#pragma once

#include "sandbox/launcher/init_block.hpp"
#include "sandbox/launcher/launch_order.hpp"

#include <string>

namespace satellite::sandbox {

/// A run with no layer at all (policy switched off) keeps what the host allows, set-user-id
/// programs included; every other run is confined.
bool is_confined(const LaunchOrder& order);

/// The block that the init of a run maps (init_block.hpp). Pure.
///
/// Shape:  `launcher_is_root` decides who changes the identity and who may look at the barrier.
std::string build_init_block(const LaunchOrder& order, bool launcher_is_root);

}  // namespace satellite::sandbox
