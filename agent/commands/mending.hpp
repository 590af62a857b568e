#pragma once

#include "agent/commands/examination.hpp"
#include "sandbox/probing/remedies.hpp"

#include <optional>
#include <string>
#include <vector>

namespace satellite::agent {

/// What of a host decides how something is mended there.
struct MendingPlace {
  sandbox::HostSigns signs;
  std::string package_tool;      ///< `apt-get`, `dnf`, …; empty = none that we know
  std::string apparmor_profile;  ///< that the package brought; empty = not here
  std::string unit;              ///< of the service; empty = none
  std::string settings_file;     ///< that was named; empty = the usual one
};

/// What one finding takes.
struct Mend {
  std::string finding;  ///< `egress_slirp4netns`, or `token` of a step on the way
  bool is_needed = false;
  std::vector<std::string> commands;  ///< for a shell of root; empty = no command does it
  std::string remedy;                 ///< in words
};

/// Commands for all that does not work, what is needed first; a finding that the commands of
/// another one mend is left out. Nothing is run. Pure.
///
/// Shape:  a command holds fixed words, and paths of the settings in a shell's quotes: nothing that
///         a core, a proxy or a kernel said.
std::vector<Mend> mends_for(const Examination& seen, const MendingPlace& place);

/// Looks at files alone.
MendingPlace look_at_mending_place(const std::optional<std::string>& settings_file);

}  // namespace satellite::agent
