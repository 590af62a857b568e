#pragma once

#include <sys/types.h>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::sandbox::kernel {

/// What files of control groups say. Pure; nothing = not there or not understood.
///
/// Source: cgroups(7); Documentation/admin-guide/cgroup-v2.rst.

/// The path after `0::` in /proc/PID/cgroup.
std::optional<std::string> unified_path(std::string_view proc_cgroup);

/// Where `path` of the v2 hierarchy is mounted, by /proc/self/mountinfo.
std::optional<std::string> mounted_path(std::string_view mountinfo, std::string_view path);

/// A file with one number; `max` is all ones.
std::optional<std::uint64_t> cgroup_number(std::string_view text);

/// The number behind `key` in a file with one pair a line, e.g. memory.events.
std::optional<std::uint64_t> cgroup_value(std::string_view text, std::string_view key);

/// cpu.max as percent of one processor, rounded up; all ones = no quota.
std::optional<std::uint64_t> cpu_max_percent(std::string_view text);

/// Whether a list like that of cgroup.controllers has the word.
bool names_controller(std::string_view controllers, std::string_view name);

/// The group of the satellite's own processes once runs have groups: a group with processes cannot
/// give controllers to the groups below it.
inline constexpr std::string_view supervisor_group = "supervisor";

struct GroupFacts {
  uid_t owner = 0;
  bool delegated = false;  ///< the service manager marked it as given away
};

/// The group below which groups of our own may be made.
enum class GroupBase {
  none,    ///< the tree is not ours, even where parts of it are writable
  own,     ///< the group that we are in
  parent,  ///< the one above: we are in the sub-group made for the supervisor
};

struct GroupPosition {
  std::string_view own_name;
  GroupFacts own;
  std::optional<GroupFacts> parent;  ///< absent = we see nothing above our own
  uid_t user = 0;
  bool systemd_runs = false;  ///< systemd runs here and owns every tree that it did not delegate
};
GroupBase base_for(const GroupPosition& position);

}  // namespace satellite::sandbox::kernel
