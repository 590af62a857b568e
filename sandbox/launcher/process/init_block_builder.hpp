#pragma once

#include "sandbox/launcher/bare/init_block.hpp"
#include "sandbox/launcher/bare/native_setup.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"

#include <linux/filter.h>
#include <span>
#include <string>

namespace satellite::sandbox {

/// A run with no layer at all (policy switched off) keeps what the host allows, set-user-id
/// programs included; every other run is confined.
bool is_confined(const LaunchOrder& order);

/// What the launcher knows and an order does not.
struct BlockFacts {
  bool launcher_is_root = false;  ///< decides who changes the identity and who may look
  Identity own;                   ///< the launcher's ids
  std::uint32_t landlock_abi = 0;
  std::span<const sock_filter> filter;  ///< for scripts whose engine confines them
  std::span<const sock_filter> init_filter;
  bool waits_for_task = false;
  std::uint64_t script_open_files = 0;  ///< soft limit where the order names none; 0 = as it is
  const bare::NativeSetup* native = nullptr;  ///< of a native run
};

/// The block that the init of a run maps (init_block.hpp). Pure.
std::string build_init_block(const LaunchOrder& order, const BlockFacts& facts);

/// The block of a prepared run's task: what to execute, in which environment and directory. Pure.
std::string build_task_block(const LaunchOrder& order);

}  // namespace satellite::sandbox
