#include "sandbox/launcher/process/host_file_watch.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <string>

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

/// The nearest directory above that exists: where a missing one would be made.
std::string directory_above(std::string path) {
  do {
    path = path.substr(0, path.rfind('/'));
    if (path.empty()) return "/";
  } while (::access(path.c_str(), F_OK) != 0);
  return path;
}

bool takes_from_host(const FileStep& step) {
  return step.kind == FileStepKind::mirror || step.kind == FileStepKind::copy ||
         step.kind == FileStepKind::bind || step.kind == FileStepKind::device;
}

}  // namespace

HostFileWatch::HostFileWatch(std::span<const FileStep> steps) {
  UniqueFd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!events) return;
  std::set<std::string> directories;
  for (const auto& step : steps) {
    if (!takes_from_host(step)) continue;
    directories.insert(directory_above(step.source));
    // A copy follows links, a mirror is the link itself: both are watched either way.
    for (const std::uint32_t follow : {std::uint32_t{IN_DONT_FOLLOW}, std::uint32_t{0}}) {
      const bool is_watched =
          ::inotify_add_watch(events.get(), step.source.c_str(), file_events | follow) >= 0;
      if (!is_watched && errno != ENOENT && errno != ENOTDIR) return;
    }
    if (::access(step.source.c_str(), F_OK) == 0 && !is_watchable(step.source)) return;
  }
  for (const auto& directory : directories) {
    const bool is_watched =
        is_watchable(directory) &&
        ::inotify_add_watch(events.get(), directory.c_str(), directory_events) >= 0;
    if (!is_watched) return;
  }
  events_ = std::move(events);
}

bool HostFileWatch::saw_nothing() {
  if (!events_) return false;
  std::array<char, 4'096> buffer;
  bool nothing = true;
  while (::read(events_.get(), buffer.data(), buffer.size()) > 0) nothing = false;
  return nothing && errno == EAGAIN;
}

}  // namespace satellite::sandbox
