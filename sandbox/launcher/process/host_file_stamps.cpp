#include "sandbox/launcher/process/host_file_stamps.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace satellite::sandbox {
namespace {

HostFileStamp stamp_of(const char* path, int follow) {
  struct stat facts {};
  if (::fstatat(AT_FDCWD, path, &facts, follow) != 0) return {};
  HostFileStamp stamp{facts.st_dev, facts.st_ino, facts.st_mode & S_IFMT};
  if (stamp.type != S_IFREG && stamp.type != S_IFLNK) return stamp;
  stamp.size = facts.st_size;
  stamp.changed_seconds = facts.st_ctim.tv_sec;
  stamp.changed_nanoseconds = facts.st_ctim.tv_nsec;
  return stamp;
}

}  // namespace

HostFileStamps stamps_of_host_files(std::span<const FileStep> steps) {
  HostFileStamps stamps;
  for (const auto& step : steps) {
    const bool is_mirror = step.kind == FileStepKind::mirror;
    // A directory that the script may write to was made for the run.
    const bool is_bind = step.kind == FileStepKind::bind && !step.writable;
    const bool is_device = step.kind == FileStepKind::device;
    const bool is_shown =
        step.kind == FileStepKind::shown || step.kind == FileStepKind::shown_programs;
    if (is_shown) {
      // What is written into a file shows through its mount; another file at its place does not.
      auto stamp = stamp_of(step.source.c_str(), AT_SYMLINK_NOFOLLOW);
      stamps.push_back({stamp.device, stamp.inode, stamp.type});
    }
    if (!is_mirror && !is_bind && !is_device && step.kind != FileStepKind::copy) continue;
    stamps.push_back(stamp_of(step.source.c_str(), is_mirror ? AT_SYMLINK_NOFOLLOW : 0));
    const bool is_link = stamps.back().type == S_IFLNK;
    if (is_link) stamps.push_back(stamp_of(step.source.c_str(), 0));
  }
  return stamps;
}

}  // namespace satellite::sandbox
