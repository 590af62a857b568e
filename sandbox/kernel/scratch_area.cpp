#include "sandbox/kernel/scratch_area.hpp"

#include "sandbox/kernel/tree_removal.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <optional>
#include <random>
#include <vector>

namespace satellite::sandbox::kernel {
namespace {

constexpr std::string_view area_prefix = "csat-";
constexpr std::size_t area_random_length = 12;
constexpr std::string_view run_prefix = "run-";
constexpr std::string_view inner_name = "scratch";
constexpr const char* runs_name = "runs";
constexpr std::string_view spare_prefix = "spare-";
constexpr std::size_t spare_gates_max = 16;
// What an area is called until it is locked: whoever sweeps would take it for stale.
constexpr std::string_view unlocked_prefix = "new-";
constexpr time_t unlocked_seconds_max = 3'600;

// What may be removed while other runs wait. Files are counted by what freeing them costs; a
// directory that once held millions of names stays long on most file systems, and even the attempt
// to remove it reads all of it.
constexpr std::size_t entries_at_once_max = 16;
constexpr blkcnt_t blocks_at_once_max = 256;  // of 512 bytes, for each file
constexpr off_t directory_size_at_once_max = 64 << 10;

std::string random_name() {
  std::random_device random;
  std::string name(area_prefix);
  constexpr std::string_view letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (std::size_t i = 0; i < area_random_length; ++i) name += letters[random() % letters.size()];
  return name;
}

bool is_area_name(std::string_view name) {
  return name.starts_with(area_prefix) && name.size() == area_prefix.size() + area_random_length;
}

std::string inner_of(const std::string& name) {
  return name + "/" + std::string(inner_name);
}

/// Everything in the area, then the area itself.
void remove_area(int parent, const std::string& name, int area) {
  for (const Directory all = listing_of(area); all;) {
    const dirent* entry = ::readdir(all.get());
    if (entry == nullptr) break;
    if (is_dots(entry->d_name)) continue;
    if (::unlinkat(area, entry->d_name, 0) != 0) remove_tree(area, entry->d_name);
  }
  ::unlinkat(parent, name.c_str(), AT_REMOVEDIR);
}

/// Whether no other user can rename or replace what we make in there.
bool is_trustworthy(const struct stat& facts) {
  const bool is_ours = facts.st_uid == 0 || facts.st_uid == ::geteuid();
  const bool is_closed = (facts.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  return is_ours && (is_closed || (facts.st_mode & S_ISVTX) != 0);
}

/// The same of every directory above: its owner could put another tree in its place.
bool way_is_trustworthy(const std::filesystem::path& path) {
  struct stat facts {};
  for (auto above = path; above.has_relative_path(); above = above.parent_path()) {
    if (::stat(above.c_str(), &facts) != 0 || !is_trustworthy(facts)) return false;
  }
  return true;
}

/// Every directory that is missing on the way, as private as it can be.
void make_missing(const std::filesystem::path& path) {
  if (path.empty() || ::access(path.c_str(), F_OK) == 0) return;
  if (path.has_relative_path()) make_missing(path.parent_path());
  ::mkdir(path.c_str(), S_IRWXU | S_IXGRP | S_IXOTH);
}

/// The names of at most `entries_at_once_max` small files; none if there is anything else.
std::optional<std::vector<std::string>> small_files(int directory) {
  const Directory listing = listing_of(directory);
  if (!listing) return std::nullopt;
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(listing.get())) {
    if (is_dots(entry->d_name)) continue;
    struct stat facts {};
    const bool is_small = names.size() < entries_at_once_max &&
                          ::fstatat(directory, entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
                          !S_ISDIR(facts.st_mode) && facts.st_blocks <= blocks_at_once_max;
    if (!is_small) return std::nullopt;
    names.emplace_back(entry->d_name);
  }
  return names;
}

/// Whether the directory holds `only`, or, without a name, nothing.
bool holds_only(int parent, const std::string& name, std::string_view only) {
  UniqueFd directory(::openat(parent, name.c_str(), directory_flags));
  const Directory listing(directory ? ::fdopendir(directory.get()) : nullptr);
  if (!listing) return false;
  static_cast<void>(directory.release());
  errno = 0;
  while (const dirent* entry = ::readdir(listing.get())) {
    if (!is_dots(entry->d_name) && entry->d_name != only) return false;
  }
  return errno == 0;
}

}  // namespace

Result<ScratchArea> ScratchArea::make(const std::string& parent) {
  ScratchArea area;
  area.parent_path_ = parent;
  area.parent_.reset(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat facts {};
  if (!area.parent_ || ::fstat(area.parent_.get(), &facts) != 0) {
    return error_from_errno("open the scratch parent " + parent, errno);
  }
  area.parent_facts_ = {facts.st_dev, facts.st_ino, facts.st_uid, facts.st_gid,
                        facts.st_mode & 07777};
  if (const auto made = area.make_area(random_name()); !made) return made.error();
  return area;
}

Result<void> ScratchArea::make_area(const std::string& name) {
  path_ = parent_path_ + (parent_path_.ends_with('/') ? "" : "/") + name;
  runs_path_ = path_ + "/" + runs_name;
  spare_gates_.clear();
  new_traits_.reset();
  const std::string unlocked = std::string(unlocked_prefix) + name;
  if (::mkdirat(parent_.get(), unlocked.c_str(), S_IRWXU) != 0) {
    return error_from_errno("make the directory " + parent_path_ + "/" + unlocked, errno);
  }
  directory_.reset(::openat(parent_.get(), unlocked.c_str(), directory_flags));
  if (!directory_ || ::flock(directory_.get(), LOCK_EX | LOCK_NB) != 0 ||
      ::mkdirat(directory_.get(), runs_name, S_IRWXU) != 0) {
    return error_from_errno("prepare " + path_, errno);
  }
  struct stat facts {};
  runs_.reset(::openat(directory_.get(), runs_name, directory_flags));
  if (!runs_ || ::fstat(runs_.get(), &facts) != 0) {
    return error_from_errno("prepare " + runs_path_, errno);
  }
  facts_ = {facts.st_dev, facts.st_ino, facts.st_uid, facts.st_gid, facts.st_mode & 07777};
  // Under root the runs' users may have to pass through; what is below keeps them apart.
  const mode_t mode = ::geteuid() == 0 ? S_IRWXU | S_IXGRP | S_IXOTH : S_IRWXU;
  if (::fchmod(runs_.get(), mode) != 0 || ::fchmod(directory_.get(), mode) != 0 ||
      ::renameat(parent_.get(), unlocked.c_str(), parent_.get(), name.c_str()) != 0) {
    return error_from_errno("prepare " + path_, errno);
  }
  if (!is_in_place()) return Error{ErrorCode::unavailable, path_ + " was removed by somebody else"};
  return {};
}

bool ScratchArea::is_in_place() const {
  struct stat facts {};
  return ::lstat(runs_path_.c_str(), &facts) == 0 && facts.st_dev == facts_.device &&
         facts.st_ino == facts_.inode;
}

/// At the same path, which the agent and orders on their way know. What took the parent's place
/// must be as good as the parent was: in a directory of somebody else's nothing of ours is safe.
Result<void> ScratchArea::make_anew() {
  const bool was_missing = ::access(parent_path_.c_str(), F_OK) != 0;
  if (was_missing) make_missing(parent_path_);
  UniqueFd parent(::open(parent_path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat facts {};
  if (!parent || ::fstat(parent.get(), &facts) != 0) {
    return error_from_errno("open the scratch parent " + parent_path_, errno);
  }
  const bool is_the_old_one =
      facts.st_dev == parent_facts_.device && facts.st_ino == parent_facts_.inode;
  if (!is_the_old_one && !way_is_trustworthy(parent_path_)) {
    return Error{ErrorCode::not_permitted,
                 "the scratch parent " + parent_path_ +
                     " was replaced by a directory of another user, or lies in one; remove that"};
  }
  if (was_missing && facts.st_uid == ::geteuid()) {
    ::fchmod(parent.get(), parent_facts_.mode);
    if (::geteuid() == 0 && ::fchown(parent.get(), parent_facts_.uid, parent_facts_.gid) != 0) {
      return error_from_errno("give " + parent_path_ + " back to its owner", errno);
    }
  }
  parent_ = std::move(parent);
  parent_facts_.device = facts.st_dev;
  parent_facts_.inode = facts.st_ino;
  const std::string name = path_.substr(path_.rfind('/') + 1);
  // An area that is only half removed cannot be used. A later agent finds it stale.
  struct stat rest {
  }, ours{};
  if (::fstatat(parent_.get(), name.c_str(), &rest, AT_SYMLINK_NOFOLLOW) == 0 &&
      ::fstat(directory_.get(), &ours) == 0 && rest.st_dev == ours.st_dev &&
      rest.st_ino == ours.st_ino) {
    ::renameat(parent_.get(), name.c_str(), parent_.get(), random_name().c_str());
  }
  return make_area(name);
}

std::string ScratchArea::directory_of(std::uint64_t run_number) const {
  return runs_path_ + "/" + inner_of(std::string(run_prefix) + std::to_string(run_number));
}

Result<std::string> ScratchArea::name_of(std::string_view directory) const {
  const std::string before = runs_path_ + "/" + std::string(run_prefix);
  const std::string after = "/" + std::string(inner_name);
  if (directory.starts_with(before) && directory.ends_with(after) &&
      directory.size() > before.size() + after.size()) {
    const auto number =
        directory.substr(before.size(), directory.size() - before.size() - after.size());
    if (number.find_first_not_of("0123456789") == std::string_view::npos) {
      return std::string(run_prefix) + std::string(number);
    }
  }
  return Error{ErrorCode::not_permitted, "the scratch directory is not one of " + runs_path_};
}

ScratchArea::Traits ScratchArea::traits_of(int directory) {
  fsxattr read{};
  if (::ioctl(directory, FS_IOC_FSGETXATTR, &read) == 0) {
    return {read.fsx_xflags, read.fsx_extsize, read.fsx_projid, read.fsx_cowextsize};
  }
  // A file system without the one call may have the other, or neither.
  int flags = 0;
  if (::ioctl(directory, FS_IOC_GETFLAGS, &flags) != 0) return {};
  return {static_cast<std::uint32_t>(flags), 0, 0, 0};
}

/// Who shares our user and sees the host's files can have written to a spare one. That one is left
/// where it is, for the end of the area: to empty it could take for ever.
ScratchArea::Gate ScratchArea::take_or_make_gate(const std::string& name) {
  while (!spare_gates_.empty()) {
    const Spare spare = std::move(spare_gates_.back());
    spare_gates_.pop_back();
    if (spare.has_scratch && !is_as_made(directory_.get(), inner_of(spare.name))) continue;
    if (::renameat(directory_.get(), spare.name.c_str(), runs_.get(), name.c_str()) == 0) {
      return spare.has_scratch ? Gate::with_scratch : Gate::empty;
    }
  }
  return ::mkdirat(runs_.get(), name.c_str(), S_IRWXU) == 0 ? Gate::empty : Gate::none;
}

bool ScratchArea::make_scratch(const std::string& name, Gate gate) {
  const int runs = runs_.get();
  const std::string inner = inner_of(name);
  if (gate == Gate::with_scratch) {
    return ::utimensat(runs, inner.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) == 0;
  }
  if (::mkdirat(runs, inner.c_str(), S_IRWXU) != 0) return false;
  if (new_traits_) return true;
  const UniqueFd made(::openat(runs, inner.c_str(), directory_flags));
  if (made) new_traits_ = traits_of(made.get());
  return true;
}

/// Nothing tells it from one that was just made but its owner and times, which are set anew.
bool ScratchArea::is_as_made(int parent, const std::string& inner) const {
  constexpr off_t new_directory_size_max = 4'096;
  const UniqueFd directory(::openat(parent, inner.c_str(), directory_flags));
  struct stat facts {};
  if (!directory || ::fstat(directory.get(), &facts) != 0) return false;
  const bool is_plain = (facts.st_mode & 07777) == S_IRWXU && facts.st_nlink <= 2 &&
                        facts.st_size <= new_directory_size_max;
  if (!is_plain || traits_of(directory.get()) != new_traits_) return false;
  const auto attributes = ::flistxattr(directory.get(), nullptr, 0);
  if (attributes > 0 || (attributes < 0 && errno != ENOTSUP)) return false;
  return holds_only(parent, inner, {});
}

/// A script that shares our user and sees the host's files can write beside its scratch directory;
/// what it left there is not kept.
bool ScratchArea::retire_gate(const std::string& name, Gate gate) {
  const bool has_scratch = gate == Gate::with_scratch;
  const std::string_view inside = has_scratch ? inner_name : std::string_view();
  if (spare_gates_.size() < spare_gates_max && holds_only(runs_.get(), name, inside)) {
    std::string spare = std::string(spare_prefix) + std::to_string(++spare_number_last_);
    if (::renameat(runs_.get(), name.c_str(), directory_.get(), spare.c_str()) == 0) {
      spare_gates_.push_back({std::move(spare), has_scratch});
      return true;
    }
  }
  if (has_scratch) ::unlinkat(runs_.get(), inner_of(name).c_str(), AT_REMOVEDIR);
  return ::unlinkat(runs_.get(), name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT;
}

Result<void> ScratchArea::make_directory(const std::string& name, const ScratchOwner& owner) {
  if (!is_in_place()) {
    if (const auto made = make_anew(); !made) return made.error();
  }
  const std::string inner = inner_of(name);
  const int runs = runs_.get();
  const Gate gate = take_or_make_gate(name);
  if (gate == Gate::none) return error_from_errno("make a directory in " + runs_path_, errno);
  bool done = make_scratch(name, gate);
  const bool is_own = ::geteuid() == owner.uid && ::getegid() == owner.gid;
  // One that is used again may be the last run's.
  if (done && (!is_own || gate == Gate::with_scratch)) {
    done = ::fchownat(runs, inner.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) == 0;
    if (done && !is_own && owner.reach == ScratchReach::by_path) {
      // The group first: the mode must never be another group's.
      done = ::fchownat(runs, name.c_str(), ::geteuid(), owner.gid, AT_SYMLINK_NOFOLLOW) == 0 &&
             ::fchmodat(runs, name.c_str(), S_IRWXU | S_IXGRP, 0) == 0;
    }
  }
  if (done) return {};
  const int reason = errno;
  static_cast<void>(remove_at_once(name));
  return error_from_errno("give the scratch directory to its user", reason);
}

bool ScratchArea::holds(const std::string& name) const {
  return ::faccessat(runs_.get(), inner_of(name).c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
         is_in_place();
}

bool ScratchArea::remove_at_once(const std::string& name) {
  const int runs = runs_.get();
  const std::string inner = inner_of(name);
  struct stat facts {};
  if (::fstatat(runs, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;
  // The user id may be another run's before everything is removed.
  const bool is_closed = (facts.st_mode & (S_IRWXG | S_IRWXO)) == 0;
  if (!is_closed && ::fchmodat(runs, name.c_str(), S_IRWXU, 0) != 0) return false;
  if (::fstatat(runs, inner.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
    return retire_gate(name, Gate::empty);
  }
  if (facts.st_size > directory_size_at_once_max) return false;
  if (is_as_made(runs, inner)) return retire_gate(name, Gate::with_scratch);
  if (::unlinkat(runs, inner.c_str(), AT_REMOVEDIR) != 0) {
    const UniqueFd directory(::openat(runs, inner.c_str(), directory_flags));
    const auto files = directory ? small_files(directory.get()) : std::nullopt;
    if (!files) return false;
    for (const auto& file : *files) ::unlinkat(directory.get(), file.c_str(), 0);
    if (::unlinkat(runs, inner.c_str(), AT_REMOVEDIR) != 0) return false;
  }
  return retire_gate(name, Gate::empty);
}

void ScratchArea::remove_directory(const std::string& name) const {
  // Where that is refused, somebody else owns it by now, and nothing of it can be removed.
  [[maybe_unused]] const int closed = ::fchmodat(runs_.get(), name.c_str(), S_IRWXU, 0);
  remove_tree(runs_.get(), name);
}

void ScratchArea::remove() const {
  remove_area(parent_.get(), path_.substr(path_.rfind('/') + 1), directory_.get());
}

void ScratchArea::sweep_stale_neighbours() const {
  const Directory all = listing_of(parent_.get());
  while (const dirent* entry = all ? ::readdir(all.get()) : nullptr) {
    const std::string name = entry->d_name;
    const bool is_unlocked = name.starts_with(unlocked_prefix);
    if (!is_area_name(is_unlocked ? name.substr(unlocked_prefix.size()) : name)) continue;
    const UniqueFd area(::openat(parent_.get(), name.c_str(), directory_flags));
    struct stat facts {};
    // Only what an agent of this user left behind; anybody can make such a name in /tmp.
    if (!area || ::fstat(area.get(), &facts) != 0 || facts.st_uid != ::geteuid()) continue;
    // Whoever makes it is about to lock it, unless he was killed.
    if (is_unlocked && facts.st_ctime > ::time(nullptr) - unlocked_seconds_max) continue;
    if (::flock(area.get(), LOCK_EX | LOCK_NB) != 0) continue;
    remove_area(parent_.get(), name, area.get());
  }
}

}  // namespace satellite::sandbox::kernel
