#include "sandbox/kernel/cgroup_tree.hpp"

#include "sandbox/kernel/cgroup_home.hpp"
#include "sandbox/kernel/cgroup_text.hpp"
#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/kernel/tree_removal.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <memory>
#include <random>
#include <string_view>
#include <utility>

namespace satellite::sandbox::kernel {
namespace {

constexpr std::string_view group_area_prefix = "csat-";
constexpr int group_area_attempts_max = 4;

/// The groups directly below `group` whose names begin so.
std::vector<std::string> groups_below(int group, std::string_view prefix) {
  std::vector<std::string> names;
  const Directory listing = listing_of(group);
  if (!listing) return names;
  while (const dirent* entry = ::readdir(listing.get())) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
        std::string_view(entry->d_name).starts_with(prefix)) {
      names.emplace_back(entry->d_name);
    }
  }
  return names;
}

/// An area whose lock can be taken has no living owner.
void sweep_stale_areas(int base) {
  for (const auto& name : groups_below(base, group_area_prefix)) {
    const UniqueFd area(::openat(base, name.c_str(), directory_flags));
    if (!area || ::flock(area.get(), LOCK_EX | LOCK_NB) != 0) continue;
    for (const auto& leaf : groups_below(area.get(), {})) {
      static_cast<void>(remove_group(area.get(), leaf));
    }
    static_cast<void>(remove_group(base, name));
  }
}

std::string random_group_area_name() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::random_device random;
  std::string name(group_area_prefix);
  for (int i = 0; i < 12; ++i) name += digits[random() % digits.size()];
  return name;
}

struct Area {
  std::string name;
  UniqueFd directory;
};

Result<Area> make_area(int base) {
  int reason = 0;
  for (int attempt = 0; attempt < group_area_attempts_max; ++attempt) {
    std::string name = random_group_area_name();
    if (::mkdirat(base, name.c_str(), 0755) != 0) {
      return error_from_errno("make a control group", errno);
    }
    UniqueFd area(::openat(base, name.c_str(), directory_flags));
    // Another launcher that sweeps may hold our lock for a moment, or have removed the area as
    // stale.
    if (area && ::flock(area.get(), LOCK_EX | LOCK_NB) == 0 &&
        ::faccessat(base, name.c_str(), F_OK, 0) == 0) {
      return Area{std::move(name), std::move(area)};
    }
    reason = errno;
    static_cast<void>(remove_group(base, name));
  }
  return error_from_errno("lock a control group", reason);
}

Result<CgroupControllers> controllers_in(int group, const std::string& path) {
  const auto text = read_small_file(group, "cgroup.controllers");
  if (!text) return text.error();
  const CgroupControllers found{names_controller(*text, "memory"), names_controller(*text, "pids"),
                                names_controller(*text, "cpu")};
  if (found.memory && found.pids) return found;
  std::string listed = text->empty() ? "none" : text->substr(0, text->size() - 1);
  return Error{ErrorCode::unsupported, "the controllers memory and pids are not given to " + path +
                                           " (it has: " + listed +
                                           "); cgroup v1 holds them, or nobody delegated them"};
}

Result<void> give_down(int group, const CgroupControllers& controllers) {
  std::string wanted = "+memory +pids";
  if (controllers.cpu) wanted += " +cpu";
  return write_group_file(group, "cgroup.subtree_control", wanted);
}

/// memory.max bounds nothing when the rest may go to a swap that is not counted.
Result<void> check_swap(int area) {
  if (::faccessat(area, "memory.swap.max", F_OK, 0) == 0) return {};
  const auto swaps = read_small_file(AT_FDCWD, "/proc/swaps");
  if (swaps && swaps->find('\n') == swaps->rfind('\n')) return {};
  return Error{ErrorCode::unsupported, "this host swaps, and its kernel does not count swap"};
}

}  // namespace

Result<CgroupTree> CgroupTree::make() {
  auto home = find_cgroup_home();
  if (!home) return home.error();
  const auto controllers = controllers_in(home->directory.get(), home->path);
  if (!controllers) return controllers.error();
  Result<void> done;
  if (home->is_own) done = clear_of_processes(*home);
  if (done) done = give_down(home->directory.get(), *controllers);
  if (!done) return done.error();
  sweep_stale_areas(home->directory.get());
  auto area = make_area(home->directory.get());
  if (!area) return area.error();
  CgroupTree tree;
  tree.base_ = std::move(home->directory);
  tree.area_ = std::move(area->directory);
  tree.path_ = (home->path == "/" ? "" : home->path) + "/" + area->name;
  tree.name_ = std::move(area->name);
  tree.controllers_ = *controllers;
  done = give_down(tree.area_.get(), *controllers);
  if (done && tree.controllers_.memory) {
    const auto trial = tree.make_leaf("trial", {}, {});
    done = trial ? check_swap(trial->descriptor()) : Result<void>(trial.error());
  }
  if (!done) return done.error();
  return tree;
}

CgroupTree::CgroupTree(CgroupTree&& other) noexcept
    : base_(std::move(other.base_)),
      area_(std::move(other.area_)),
      name_(std::move(other.name_)),
      path_(std::move(other.path_)),
      controllers_(other.controllers_) {}

CgroupTree::~CgroupTree() {
  if (base_) static_cast<void>(remove_group(base_.get(), name_));
}

Result<CgroupLeaf> CgroupTree::make_leaf(std::string name, const CgroupLimits& limits,
                                         const std::vector<CgroupWrite>& writes) const {
  if (limits.cpu_percent && !controllers_.cpu) {
    return Error{ErrorCode::unsupported, "the cpu controller was not delegated"};
  }
  return CgroupLeaf::make(area_.get(), path_, std::move(name), writes);
}

}  // namespace satellite::sandbox::kernel
