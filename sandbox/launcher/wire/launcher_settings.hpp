#pragma once

#include "sandbox/host/identity.hpp"
#include "sandbox/host/macvlan_settings.hpp"

#include <optional>
#include <string>

namespace satellite::sandbox {

/// Whether a launcher that is root may start a script that stays root.
enum class RootScripts { refused, allowed };

/// What the launcher is told when it starts, before a byte came from the network.
struct LauncherSettings {
  std::string scratch_parent = "/tmp";            ///< where the runs' scratch directories are made
  std::optional<MacvlanSettings> macvlan{};       ///< the uplink of runs, if the operator gave one
  std::optional<IdentityRange> identity_range{};  ///< a user of its own for each run
  /// The operator's word, told once: no order, and so no agent that was taken over, can change it.
  RootScripts root_scripts = RootScripts::refused;
};

}  // namespace satellite::sandbox
