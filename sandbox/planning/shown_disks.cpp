// Which file systems a run shows without their content. That one has a directory which gives
// nothing away is found out where the root is built; here it is decided which are asked at all.
#include "sandbox/planning/shown_disks.hpp"

#include "sandbox/host/host_view.hpp"
#include "sandbox/kernel/proc_facts.hpp"
#include "sandbox/planning/file_system_types.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace satellite::sandbox {
namespace {

using kernel::MountEntry;

constexpr std::size_t names_told_max = 8;
constexpr std::size_t place_size_max = 1'024;

// Every script finds the host's content there.
constexpr std::array<std::string_view, 6> shown_as_on_host{"/usr", "/bin",   "/sbin",
                                                           "/lib", "/lib64", "/etc"};
// And there what is the run's own.
constexpr std::array<std::string_view, 4> own_places{"/proc", "/sys", "/dev", "/tmp"};

// Of the Filesystem Hierarchy Standard, and what checks ask the sizes of.
constexpr std::array<std::string_view, 11> known_places{"/boot",    "/home",    "/media",  "/mnt",
                                                        "/opt",     "/root",    "/srv",    "/var",
                                                        "/var/lib", "/var/log", "/var/tmp"};

// The reasons in the order in which they are told.
enum class Reason { own, network, image, unknown, unreachable, holds, below, root, many };
constexpr std::array<std::string_view, 9> reasons{
    "a run has its own there",
    "who looks at a network file system may have to wait for it",
    "an image is always full",
    "nothing is known of such file systems",
    "the scripts' user does not reach it on this host",
    "something else that scripts see lies in it",
    "it lies below another one, which is shown without anything in it",
    "the scratch directories of runs are not on it: let sandbox.scratch_directory name a directory "
    "that is",
    "at most 64 are shown"};

template <typename Directories>
bool lies_in_one(std::string_view path, const Directories& directories) {
  return std::any_of(directories.begin(), directories.end(), [path](std::string_view directory) {
    return is_at_or_below(path, directory);
  });
}

bool lies_inside(std::string_view path, std::string_view directory) {
  return path != directory && is_at_or_below(path, directory);
}

bool is_plain_place(std::string_view place) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return place.starts_with('/') && place.size() <= place_size_max &&
         std::none_of(place.begin(), place.end(), is_control);
}

/// The table of mounts as a tree. A host may have thousands, and they are looked through for each
/// plan: nothing here looks at all of them for one.
class MountTree {
 public:
  explicit MountTree(const std::vector<MountEntry>& mounts) {
    for (const auto& mount : mounts) {
      by_id_.emplace(mount.id, &mount);
      ++children_[mount.parent][mount.target];
    }
  }

  const MountEntry* parent_of(const MountEntry& mount) const {
    const auto found = by_id_.find(mount.parent);
    return found == by_id_.end() || found->second == &mount ? nullptr : found->second;
  }

  /// Whether the path of its place leads into it. A sibling at a directory above was mounted later
  /// and lies over it, as does a child at its very place.
  bool is_reached(const MountEntry& mount) const {
    int depth = 0;
    const MountEntry* below = nullptr;
    for (const MountEntry* at = &mount; at != nullptr; below = at, at = parent_of(*at)) {
      if (++depth > depth_max || has_child_over(*at, below) || has_sibling_over(*at)) return false;
    }
    return true;
  }

  /// Whether it lies on or below one that may wait for others.
  bool waits(const MountEntry& mount) const {
    int depth = 0;
    for (const MountEntry* at = &mount; at != nullptr; at = parent_of(*at)) {
      if (++depth > depth_max || waits_for_others(at->type)) return true;
    }
    return false;
  }

 private:
  static constexpr int depth_max = 64;
  using Places = std::unordered_map<std::string_view, int>;  ///< and how many are mounted at each

  /// Another one than the child that the way leads through, and than itself, where the table names
  /// it as its own parent.
  bool has_child_over(const MountEntry& mount, const MountEntry* passed) const {
    int others = count_at(mount.id, mount.target);
    if (passed != nullptr && passed->target == mount.target) --others;
    if (mount.parent == mount.id) --others;
    return others > 0;
  }
  bool has_sibling_over(const MountEntry& mount) const {
    const std::string_view place = mount.target;
    if (place != "/" && count_at(mount.parent, "/") > 0) return true;
    for (auto end = place.find('/', 1); end != place.npos; end = place.find('/', end + 1)) {
      if (count_at(mount.parent, place.substr(0, end)) > 0) return true;
    }
    return false;
  }
  int count_at(std::uint64_t parent, std::string_view place) const {
    const auto places = children_.find(parent);
    if (places == children_.end()) return 0;
    const auto found = places->second.find(place);
    return found == places->second.end() ? 0 : found->second;
  }

  std::unordered_map<std::uint64_t, const MountEntry*> by_id_;
  std::unordered_map<std::uint64_t, Places> children_;
};

class DiskFinder {
 public:
  DiskFinder(const HostPaths& host, const DiskQuestion& question, std::vector<MountEntry> mounts)
      : host_(host), question_(question), mounts_(std::move(mounts)), tree_(mounts_) {}

  ShownDisks find() {
    for (const auto& mount : mounts_) {
      if (!is_plain_place(mount.target) || !tree_.is_reached(mount)) continue;
      reached_.push_back(&mount);
      if (mount.root == "/") mounted_as_whole_.insert(mount.device);
    }
    std::stable_sort(
        reached_.begin(), reached_.end(),
        [](const MountEntry* one, const MountEntry* other) { return one->target < other->target; });
    for (const MountEntry* mount : reached_) look_at(*mount);
    add_covers();
    if (!found_.disks.empty() && found_.disks.front().target == "/") add_places();
    tell();
    for (const auto& disk : found_.disks) found_.grants.push_back("disk " + disk.target);
    return std::move(found_);
  }

 private:
  void leave_out(const MountEntry& mount, Reason reason) {
    left_out_.push_back(&mount);
    told_[reason].push_back(mount.target + " (" + mount.type + ")");
  }

  /// Parents come before what lies in them.
  void look_at(const MountEntry& mount) {
    const std::string& place = mount.target;
    const bool is_silent = lies_in_one(place, shown_as_on_host) ||
                           lies_in_one(place, question_.shown_paths) ||
                           (is_of_kernel(mount.type) && mount.type != "devtmpfs");
    if (is_silent) return;
    if (lies_in_one(place, own_places)) return leave_out(mount, Reason::own);
    if (tree_.waits(mount)) return leave_out(mount, Reason::network);
    if (is_image(mount.type)) return leave_out(mount, Reason::image);
    if (!is_local_store(mount.type)) return leave_out(mount, Reason::unknown);
    if (place == "/") return look_at_root(mount);
    if (is_part_of_another(mount)) return;
    if (lies_below_a_leaf(place)) return leave_out(mount, Reason::below);
    if (!host_.is_reachable(place)) return leave_out(mount, Reason::unreachable);
    if (holds_something(place)) return leave_out(mount, Reason::holds);
    if (found_.disks.size() == shown_disks_max) return leave_out(mount, Reason::many);
    found_.disks.push_back({place, mount.type, mount.device, host_.is_roots_alone(place)});
  }

  void look_at_root(const MountEntry& mount) {
    const MountEntry* const scratch = holder_of(without_links(question_.scratch_directory));
    const bool is_on_it = scratch != nullptr && scratch->device == mount.device;
    if (!is_on_it) return leave_out(mount, Reason::root);
    found_.disks.push_back({mount.target, mount.type, mount.device});
  }

  /// What of it is not there yet is made below what is.
  std::string without_links(const std::string& path) const {
    std::string made = path, rest;
    while (!made.empty()) {
      if (const auto real = host_.real_path(made)) return *real + rest;
      const auto slash = made.rfind('/');
      if (slash == std::string::npos) break;
      rest = made.substr(slash) + rest;
      made.resize(slash);
    }
    return path;
  }

  /// The mount that a path lies on.
  const MountEntry* holder_of(std::string_view path) const {
    const MountEntry* nearest = nullptr;
    for (const MountEntry* mount : reached_) {
      const bool holds = is_at_or_below(path, mount->target);
      if (holds && (nearest == nullptr || mount->target.size() >= nearest->target.size())) {
        nearest = mount;
      }
    }
    return nearest;
  }

  /// A directory of a file system that is mounted as a whole elsewhere, as df(1) has it.
  bool is_part_of_another(const MountEntry& mount) const {
    return mount.root != "/" && !has_subvolumes(mount.type) &&
           mounted_as_whole_.contains(mount.device);
  }

  bool lies_below_a_leaf(std::string_view place) const {
    return std::any_of(found_.disks.begin(), found_.disks.end(), [place](const ShownDisk& disk) {
      return disk.target != "/" && is_at_or_below(place, disk.target);
    });
  }

  bool holds_something(std::string_view place) const {
    const auto lies_in_it = [place](std::string_view path) { return is_at_or_below(path, place); };
    return lies_in_it(question_.scratch_directory) ||
           std::any_of(question_.shown_paths.begin(), question_.shown_paths.end(), lies_in_it);
  }

  /// Directories of the run on the way through something that is not shown.
  void add_covers() {
    for (const MountEntry* mount : left_out_) {
      const std::string& place = mount->target;
      const bool is_own = place == "/" || lies_in_one(place, own_places);
      const bool is_passed =
          holds_something(place) ||
          std::any_of(found_.disks.begin(), found_.disks.end(),
                      [&place](const ShownDisk& disk) { return lies_inside(disk.target, place); });
      if (!is_own && is_passed) found_.covers.push_back(place);
    }
  }

  /// Only what is no mount and no link: of another file system they would tell a wrong size. A
  /// link is never followed, since it may lead to a server that is away; parents come first.
  void add_places() {
    std::string link = "//";
    for (const std::string_view known : known_places) {
      const std::string place(known);
      const MountEntry* const holder = holder_of(place);
      if (holder == nullptr || holder->target != "/" || lies_inside(place, link)) continue;
      if (host_.is_directory(place)) {
        found_.places.push_back(place);
      } else {
        link = place;
      }
    }
  }

  void tell() {
    for (const auto& [reason, names] : told_) {
      std::string text = "host_view: ";
      for (std::size_t i = 0; i < std::min(names.size(), names_told_max); ++i) {
        text += (i == 0 ? "" : ", ") + names[i];
      }
      if (names.size() > names_told_max) {
        text += " and " + std::to_string(names.size() - names_told_max) + " more";
      }
      text += names.size() == 1 ? " is" : " are";
      found_.remarks.push_back(
          text + " not shown as disks: " + std::string(reasons[static_cast<std::size_t>(reason)]));
    }
  }

  const HostPaths& host_;
  const DiskQuestion& question_;
  const std::vector<MountEntry> mounts_;
  const MountTree tree_;
  std::vector<const MountEntry*> reached_, left_out_;
  std::unordered_set<std::string_view> mounted_as_whole_;  ///< devices
  std::map<Reason, std::vector<std::string>> told_;
  ShownDisks found_;
};

}  // namespace

bool ShownDisks::are_whole() const {
  return !disks.empty() && disks.front().target == "/" && covers.empty();
}

ShownDisks find_disks(const HostPaths& host, const DiskQuestion& question) {
  const auto refused = [](std::string_view why) {
    ShownDisks nothing;
    nothing.remarks.push_back("host_view: disks are not shown: " + std::string(why));
    return nothing;
  };
  if (!question.by_native_engine) {
    return refused("only the native engine can show them without their content");
  }
  auto mounts = kernel::parse_mountinfo(host.mountinfo());
  if (!mounts) return refused("the host's mounts cannot be read");
  return DiskFinder(host, question, *std::move(mounts)).find();
}

std::string name_of(const ShownDisk& disk) {
  return disk.target + " (" + disk.type + ")";
}

}  // namespace satellite::sandbox
