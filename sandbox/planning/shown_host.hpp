#pragma once

#include "sandbox/host/host_facts.hpp"
#include "sandbox/host/host_view.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/planning/host_paths.hpp"
#include "sandbox/planning/shown_disks.hpp"

#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// Something of the host that a run shows at its place.
struct ShownPath {
  std::string target;  ///< absolute
  std::string source;  ///< the same without links
  bool executable = false;
  bool operator==(const ShownPath&) const = default;
};

/// Something that is mounted in the host's /proc and that a run does not show.
struct ProcMount {
  std::string target;  ///< absolute
  bool is_directory = false;
  bool operator==(const ProcMount&) const = default;
};

/// What of a HostView this host has, for one run.
///
/// Shape:  a path stands behind those that hold it.
struct ShownHost {
  std::vector<ShownPath> paths;
  std::vector<std::string> masked_directories, masked_files;  ///< below /sys
  ShownDisks disks;
  bool processes = false;  ///< the host's /proc in the place of the run's own
  std::vector<ProcMount> mounted_in_proc;
  bool links_var_run = false;        ///< /var/run is a link, as programs expect
  std::vector<std::string> grants;   ///< for the report: what is shown
  std::vector<std::string> remarks;  ///< and what is not, with the reason

  bool empty() const { return paths.empty() && disks.disks.empty(); }
};

/// Who must be able to open what is shown.
enum class ShownTo { satellite, everybody };

/// Who it is on this host, by what starts the scripts.
ShownTo whom_to_show(const HostFacts& facts);

/// Where a run is made, as far as it decides what of the host can be shown.
struct ShowingRun {
  ShownTo whom = ShownTo::satellite;
  bool by_native_engine = false;
  std::string scratch_directory;
  std::vector<std::string> further_paths{};  ///< that it shows whatever is granted
  bool keeps_signals = false;                ///< HostFacts::keeps_signals
  /// Its user is its own, and not that of its init.
  bool has_user_for_init = false;
};
ShowingRun showing_run(const HostFacts& facts, std::string scratch_directory);

/// Looks for what the operator grants.
///
/// Shape:  pure; `host` answers. What is missing, lies on a network file system (which may not
///         answer), or leads to something of the satellite's own is left out with a remark.
ShownHost find_shown(const HostView& view, const HostPaths& host, const ShowingRun& run);

/// What of the operator's grants this host has, for `doctor`. Runs get their scratch directories
/// below `scratch_parent`, and their users from `range` if there is one.
CapabilityFinding examine_host_view(const HostView& view, const HostFacts& facts,
                                    const std::string& scratch_parent,
                                    const std::optional<IdentityRange>& range);

}  // namespace satellite::sandbox
