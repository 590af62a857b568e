// A run's scratch directory is hostile content: names, depth, modes and links were chosen by the
// script. Removal therefore walks with descriptors and without recursion: a directory that is not
// empty is moved up into the area and put on a list, so depth costs neither stack nor descriptors.
#include "sandbox/kernel/scratch_area.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <limits>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

namespace satellite::sandbox::kernel {
namespace {

constexpr std::string_view area_prefix = "csat-";
constexpr std::string_view moved_infix = ".moved-";
constexpr std::uint64_t unbounded = std::numeric_limits<std::uint64_t>::max();
constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

Directory listing_of(int directory) {
  UniqueFd fd(::openat(directory, ".", directory_flags));
  Directory listing(fd ? ::fdopendir(fd.get()) : nullptr);
  if (listing) static_cast<void>(fd.release());
  return listing;
}

/// Opens a directory for reading even if its owner took away our permission.
Directory open_directory(int parent, const char* name) {
  UniqueFd fd(::openat(parent, name, directory_flags));
  if (!fd && errno == EACCES) {
    ::fchmodat(parent, name, S_IRWXU, AT_SYMLINK_NOFOLLOW);
    fd.reset(::openat(parent, name, directory_flags));
  }
  if (!fd) return nullptr;
  // Without write permission nothing below could be removed; harmless if we are privileged.
  ::fchmod(fd.get(), S_IRWXU);
  Directory directory(::fdopendir(fd.get()));
  if (directory) static_cast<void>(fd.release());
  return directory;
}

bool is_dots(const char* name) {
  const std::string_view text(name);
  return text == "." || text == "..";
}

class TreeRemoval {
 public:
  TreeRemoval(int area, std::uint64_t entries_max) : area_(area), left_(entries_max) {}

  bool remove(const std::string& name) {
    moved_prefix_ = name + std::string(moved_infix);
    pending_ = left_by_earlier_removal();
    pending_.push_back(name);
    while (!pending_.empty()) {
      const std::string next = std::move(pending_.back());
      pending_.pop_back();
      if (!empty_out(next)) return false;
      ::unlinkat(area_, next.c_str(), AT_REMOVEDIR);
    }
    return true;
  }

 private:
  /// A removal that stopped at its bound may have moved directories out already.
  std::vector<std::string> left_by_earlier_removal() const {
    std::vector<std::string> names;
    for (const Directory all = listing_of(area_); all;) {
      const dirent* entry = ::readdir(all.get());
      if (entry == nullptr) break;
      if (std::string_view(entry->d_name).starts_with(moved_prefix_))
        names.emplace_back(entry->d_name);
    }
    return names;
  }

  bool empty_out(const std::string& name) {
    const Directory directory = open_directory(area_, name.c_str());
    if (!directory) return true;
    while (const dirent* entry = ::readdir(directory.get())) {
      if (is_dots(entry->d_name)) continue;
      if (left_ == 0) return false;
      --left_;
      remove_entry(::dirfd(directory.get()), entry->d_name);
    }
    return true;
  }

  void remove_entry(int directory, const char* name) {
    if (::unlinkat(directory, name, 0) == 0 || errno == ENOENT) return;
    if (::unlinkat(directory, name, AT_REMOVEDIR) == 0) return;
    // Moving a directory rewrites its `..`, for which its owner needs write permission on it.
    ::fchmodat(directory, name, S_IRWXU, AT_SYMLINK_NOFOLLOW);
    const std::string moved =
        moved_prefix_ + std::to_string(++moved_count_) + "-" + std::to_string(::getpid());
    if (::renameat(directory, name, area_, moved.c_str()) == 0) pending_.push_back(moved);
  }

  int area_;
  std::uint64_t left_;
  std::uint64_t moved_count_ = 0;
  std::string moved_prefix_;
  std::vector<std::string> pending_;
};

std::string random_name() {
  std::random_device random;
  std::string name(area_prefix);
  constexpr std::string_view letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  for (int i = 0; i < 12; ++i) name += letters[random() % letters.size()];
  return name;
}

/// Everything in the area, then the area itself.
void remove_area(int parent, const std::string& name, int area) {
  for (const Directory all = listing_of(area); all;) {
    const dirent* entry = ::readdir(all.get());
    if (entry == nullptr) break;
    if (is_dots(entry->d_name)) continue;
    if (::unlinkat(area, entry->d_name, 0) != 0) {
      TreeRemoval(area, unbounded).remove(entry->d_name);
    }
  }
  ::unlinkat(parent, name.c_str(), AT_REMOVEDIR);
}

}  // namespace

Result<ScratchArea> ScratchArea::make(const std::string& parent) {
  ScratchArea area;
  area.parent_.reset(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!area.parent_) return error_from_errno("open the scratch parent " + parent, errno);
  const std::string name = random_name();
  area.path_ = parent + (parent.ends_with('/') ? "" : "/") + name;
  if (::mkdirat(area.parent_.get(), name.c_str(), S_IRWXU) != 0) {
    return error_from_errno("make a directory in " + parent, errno);
  }
  area.directory_.reset(::openat(area.parent_.get(), name.c_str(), directory_flags));
  // The lock comes before the mode, so that a sweeping neighbour never takes a fresh area for stale
  // once it can be used; searchable by all, because the runs' users must pass through it.
  if (!area.directory_ || ::flock(area.directory_.get(), LOCK_EX | LOCK_NB) != 0 ||
      ::fchmod(area.directory_.get(), S_IRWXU | S_IXGRP | S_IXOTH) != 0) {
    return error_from_errno("prepare " + area.path_, errno);
  }
  return area;
}

Result<void> ScratchArea::make_directory(const std::string& name, uid_t uid, gid_t gid) const {
  if (name.empty() || name.find('/') != std::string::npos || is_dots(name.c_str())) {
    return Error{ErrorCode::invalid_input, "not a name in the scratch area"};
  }
  if (::mkdirat(directory_.get(), name.c_str(), S_IRWXU) != 0) {
    return error_from_errno("make the scratch directory", errno);
  }
  const bool owned = ::geteuid() == uid && ::getegid() == gid;
  if (!owned && ::fchownat(directory_.get(), name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
    const int reason = errno;
    ::unlinkat(directory_.get(), name.c_str(), AT_REMOVEDIR);
    return error_from_errno("give the scratch directory to its user", reason);
  }
  return {};
}

ScratchArea::Removal ScratchArea::remove_directory(const std::string& name,
                                                   std::uint64_t entries_max) const {
  if (::unlinkat(directory_.get(), name.c_str(), AT_REMOVEDIR) == 0) return Removal::done;
  TreeRemoval removal(directory_.get(), entries_max);
  return removal.remove(name) ? Removal::done : Removal::more_left;
}

void ScratchArea::remove() const {
  remove_area(parent_.get(), path_.substr(path_.rfind('/') + 1), directory_.get());
}

void sweep_stale_areas(const std::string& parent) {
  const UniqueFd fd(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return;
  const Directory all(::fdopendir(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)));
  while (const dirent* entry = all ? ::readdir(all.get()) : nullptr) {
    const std::string name = entry->d_name;
    if (!name.starts_with(area_prefix) || name.size() != area_prefix.size() + 12) continue;
    const UniqueFd area(::openat(fd.get(), name.c_str(), directory_flags));
    struct stat facts {};
    // Only what an agent of this user left behind; anybody can make such a name in /tmp.
    if (!area || ::fstat(area.get(), &facts) != 0 || facts.st_uid != ::geteuid()) continue;
    // Still private: between mkdir and flock of a neighbour that starts right now.
    if ((facts.st_mode & S_IXOTH) == 0) continue;
    if (::flock(area.get(), LOCK_EX | LOCK_NB) != 0) continue;
    remove_area(fd.get(), name, area.get());
  }
}

}  // namespace satellite::sandbox::kernel
