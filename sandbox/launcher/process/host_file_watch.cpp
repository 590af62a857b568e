#include "sandbox/launcher/process/host_file_watch.hpp"

#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>

namespace satellite::sandbox {
namespace {

// Not all of them are in linux/magic.h of Debian 12.
constexpr std::array<std::uint32_t, 9> shared_file_systems{
    NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,  CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, V9FS_MAGIC,
    FUSE_SUPER_MAGIC, CEPH_SUPER_MAGIC, AFS_SUPER_MAGIC,  CODA_SUPER_MAGIC};
constexpr std::uint32_t file_events = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF;
constexpr std::uint32_t directory_events = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                           IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR;

bool is_watchable(const std::string& path) {
  struct statfs facts {};
  if (::statfs(path.c_str(), &facts) != 0) return false;
  const auto type = static_cast<std::uint32_t>(facts.f_type);
  return std::find(shared_file_systems.begin(), shared_file_systems.end(), type) ==
         shared_file_systems.end();
}

/// Its directory, by a way without links; a missing one is none. A link on the way may lead to
/// another place without anything happening here.
bool is_plain_way(const std::string& directory) {
  std::error_code problem;
  const auto real = std::filesystem::weakly_canonical(directory, problem);
  return !problem && real == directory;
}

}  // namespace

/// Whether everything that can change what the step takes is watched from now on.
bool HostFileWatch::watch(const FileStep& step) {
  if (step.kind != FileStepKind::mirror) return false;
  // A link in the root stays a link; another one may be shown as what it leads to.
  std::error_code problem;
  const bool is_in_root = step.target.find('/') == std::string::npos;
  if (!is_in_root && std::filesystem::is_symlink(step.source, problem)) return false;
  std::string directory = step.source.substr(0, step.source.rfind('/'));
  if (!directory.empty() && !is_plain_way(directory)) return false;
  const auto add = [this](const std::string& path, std::uint32_t events) {
    return ::inotify_add_watch(events_.get(), path.c_str(), events | IN_MASK_ADD) >= 0;
  };
  const auto is_missing = [] { return errno == ENOENT || errno == ENOTDIR; };
  if (!add(step.source, file_events | IN_DONT_FOLLOW) && !is_missing()) return false;
  for (;;) {
    const std::string path = directory.empty() ? "/" : directory;
    if (add(path, directory_events)) {
      if (!is_watchable(path)) return false;
    } else if (!is_missing()) {
      return false;
    }
    if (directory.empty()) return true;
    directory.resize(directory.rfind('/'));
  }
}

HostFileWatch::HostFileWatch(std::span<const FileStep> steps)
    : events_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  for (const auto& step : steps) {
    if (!watch(step)) unwatched_.push_back(step);
  }
  unwatched_stamps_ = stamps_of_host_files(unwatched_);
}

bool HostFileWatch::saw_nothing() const {
  int waiting = 0;
  return events_ && ::ioctl(events_.get(), FIONREAD, &waiting) == 0 && waiting == 0;
}

}  // namespace satellite::sandbox
