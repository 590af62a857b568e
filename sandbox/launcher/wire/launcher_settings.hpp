#pragma once

#include "sandbox/host/identity.hpp"
#include "sandbox/host/macvlan_settings.hpp"
#include "sandbox/launcher/wire/made_ahead.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace satellite::sandbox {

/// Whether a launcher that is root may start a script that stays root.
enum class RootScripts { refused, allowed };

/// What the launcher is started with, before the agent has read a byte from the network.
struct LauncherSettings {
  std::string scratch_parent = "/tmp";            ///< where the runs' scratch directories are made
  std::optional<MacvlanSettings> macvlan{};       ///< the uplink of runs, if the operator gave one
  std::optional<IdentityRange> identity_range{};  ///< a user of its own for each run
  /// The operator's setting, passed once: no order, not even of an agent that an attacker took
  /// over, can change it.
  RootScripts root_scripts = RootScripts::refused;
  MadeAhead made_ahead{true, true};  ///< for runs to come; without it each makes its own
  /// The newest version of Landlock that is used: tests of what holds on older kernels.
  std::uint32_t landlock_abi_max = std::numeric_limits<std::uint32_t>::max();
};

}  // namespace satellite::sandbox
