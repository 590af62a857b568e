#pragma once

#include "sandbox/plan.hpp"

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
  std::vector<std::string> read_only_paths;  ///< beyond the system directories; may lie in scratch
  std::optional<Identity> identity;          ///< whom made-up accounts name
};

/// The file view of one run as a list of deeds in their order.
///
/// Shape:  pure, printable. Targets are relative to the new root; nothing is looked up on the host
///         here: a step marked optional is skipped when its source is not there.
/// Source: research/sandbox-anchors.md 2; the filesystem seed for the directories shown.
NativePlan plan_native(const NativeRequest& request);

/// One line per step, for people and golden tests.
std::string describe_step(const FileStep& step);

}  // namespace satellite::sandbox
