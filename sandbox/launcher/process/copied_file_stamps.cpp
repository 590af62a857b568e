#include "sandbox/launcher/process/copied_file_stamps.hpp"

#include <fcntl.h>
#include <sys/stat.h>

namespace satellite::sandbox {

HostTexts host_texts_of(const NativePlan& plan) {
  HostTexts texts;
  for (const auto& step : plan.steps) {
    if (step.kind != FileStepKind::copy && step.kind != FileStepKind::mirror) continue;
    const int follow = step.kind == FileStepKind::mirror ? AT_SYMLINK_NOFOLLOW : 0;
    struct stat facts {};
    HostText text;
    if (::fstatat(AT_FDCWD, step.source.c_str(), &facts, follow) == 0) {
      text = {facts.st_dev, facts.st_ino, facts.st_size, facts.st_ctim.tv_sec,
              facts.st_ctim.tv_nsec};
    }
    texts.push_back(text);
  }
  return texts;
}

}  // namespace satellite::sandbox
