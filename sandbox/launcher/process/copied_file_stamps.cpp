#include "sandbox/launcher/process/copied_file_stamps.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace satellite::sandbox {

CopiedFileStamps stamps_of_copied_files(const NativePlan& plan) {
  CopiedFileStamps stamps;
  for (const auto& step : plan.steps) {
    if (step.kind != FileStepKind::copy && step.kind != FileStepKind::mirror) continue;
    const int follow = step.kind == FileStepKind::mirror ? AT_SYMLINK_NOFOLLOW : 0;
    struct stat facts {};
    CopiedFileStamp stamp;
    if (::fstatat(AT_FDCWD, step.source.c_str(), &facts, follow) == 0) {
      stamp = {facts.st_dev, facts.st_ino, facts.st_size, facts.st_ctim.tv_sec,
               facts.st_ctim.tv_nsec};
    }
    stamps.push_back(stamp);
  }
  return stamps;
}

}  // namespace satellite::sandbox
