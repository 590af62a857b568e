#pragma once

#include "sandbox/planning/plan.hpp"
#include "sandbox/planning/shown_host.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// What the native engine is asked for.
struct NativeRequest {
  bool confined = false;        ///< a root of its own; else the host's view stays
  bool own_network = false;     ///< not the host's network namespace
  bool enters_network = false;  ///< one that was made before the run, with its settings
  bool launcher_is_root = false;
  std::string scratch_directory;
  std::optional<std::uint64_t> scratch_bytes;
  std::uint64_t state_bytes = 0;             ///< of the memory for what its check keeps; 0 = none
  std::vector<std::string> read_only_paths;  ///< beyond the system directories; may lie in scratch
  OwnFiles own_files;
  std::optional<Identity> identity;  ///< whom made-up accounts name
  bool own_identity = false;         ///< which no other run has
  /// The root may be made once for all runs like this one, so that nothing in it may be theirs;
  /// only the native engine can.
  bool shares_root = false;
  ShownHost shown;                      ///< what the operator grants of the host
  std::string host_name;                ///< the host's own; empty = not known
  std::string hosts_addition;           ///< without which that name would not resolve
  std::string host_passwd, host_group;  ///< whose owners of processes the run can name
};

/// The file view of one run as a list of steps in their order.
///
/// Shape:  pure, printable. Targets are relative to the new root; nothing is looked up on the host
///         here: a step marked optional is skipped when its source is not there.
/// Source: mount(2), pivot_root(2); reference-satellite 6 for the directories shown.
NativePlan plan_native(const NativeRequest& request);

/// All that Landlock lets such a script write to; empty = Landlock does not restrict files.
std::vector<std::string> writable_paths(const NativeRequest& request);

/// Where Landlock lets such a script read or execute, where it shows more of the host than every
/// script sees; empty = everywhere.
std::vector<ReadablePath> readable_paths(const NativeRequest& request);

/// The memory file systems of these steps and how much each may hold.
std::vector<MemorySize> memory_sizes(const std::vector<FileStep>& steps);

/// One line per step, for people and golden tests.
std::string describe_step(const FileStep& step);

}  // namespace satellite::sandbox
