#include "sandbox/kernel/cgroup_text.hpp"

#include "sandbox/kernel/proc_facts.hpp"

#include <charconv>
#include <limits>

namespace satellite::sandbox::kernel {
namespace {

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

std::string_view next_field(std::string_view& rest) {
  const auto word = rest.substr(0, rest.find_first_of(" \n"));
  rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  return word;
}

bool is_below(std::string_view path, std::string_view root) {
  if (root == "/") return true;
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

}  // namespace

std::optional<std::string> unified_path(std::string_view proc_cgroup) {
  while (!proc_cgroup.empty()) {
    const auto line = next_line(proc_cgroup);
    // A path that leads out of our own namespace cannot be found in its mount.
    if (line.starts_with("0::/") && !line.starts_with("0::/..")) return std::string(line.substr(3));
  }
  return std::nullopt;
}

std::optional<std::string> mounted_path(std::string_view mountinfo, std::string_view path) {
  const auto mounts = parse_mountinfo(mountinfo);
  if (!mounts) return std::nullopt;
  for (const auto& mount : *mounts) {
    if (mount.type != "cgroup2" || !is_below(path, mount.root)) continue;
    const auto below = mount.root == "/" ? path : path.substr(mount.root.size());
    return below == "/" ? mount.target : mount.target + std::string(below);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> cgroup_number(std::string_view text) {
  const auto word = next_field(text);
  if (word == "max") return unlimited;
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != word.data() + word.size()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> cgroup_value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    auto line = next_line(text);
    if (next_field(line) == key) return cgroup_number(line);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> cpu_max_percent(std::string_view text) {
  const auto quota = cgroup_number(next_field(text));
  const auto period = cgroup_number(text);
  if (!quota || !period || *period == 0) return std::nullopt;
  if (*quota == unlimited) return unlimited;
  if (*quota > unlimited / 100 - *period) return std::nullopt;
  return (*quota * 100 + *period - 1) / *period;
}

bool names_controller(std::string_view controllers, std::string_view name) {
  while (!controllers.empty()) {
    if (next_field(controllers) == name) return true;
  }
  return false;
}

GroupBase base_for(const GroupPosition& position) {
  if (position.own.delegated) return GroupBase::own;
  if (position.parent && position.parent->delegated) return GroupBase::parent;
  const bool in_supervisor = position.own_name == supervisor_group;
  if (position.user != 0) {
    // The group was given to us and its parent was not: only what is below it is ours.
    const bool owns_parent = position.parent && position.parent->owner == position.user;
    if (position.own.owner != position.user) return GroupBase::none;
    if (!owns_parent) return GroupBase::own;
    return in_supervisor ? GroupBase::parent : GroupBase::none;
  }
  if (position.systemd_runs) return GroupBase::none;
  return in_supervisor && position.parent ? GroupBase::parent : GroupBase::own;
}

}  // namespace satellite::sandbox::kernel
