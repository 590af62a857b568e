#include "sandbox/launcher/process/disk_root.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/kernel/tree_removal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace satellite::sandbox {
namespace {

constexpr mode_t readable_by_all = 0755;

/// What every root has, and what cleaners of /tmp would therefore remove first.
constexpr const char* known_place = "/usr";

}  // namespace

Result<std::shared_ptr<const DiskRoot>> DiskRoot::make(const std::string& scratch_area,
                                                       const Unused& unused) {
  std::string path = scratch_area + "/root-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return error_from_errno("make a root in " + path, errno);
  auto root = std::shared_ptr<DiskRoot>(new DiskRoot());
  root->path_ = std::move(path);
  root->unused_ = unused;
  const UniqueFd directory(::open(root->path_.c_str(), kernel::directory_flags));
  struct stat facts {};
  if (!directory || ::fchmod(directory.get(), readable_by_all) != 0 ||
      ::fstat(directory.get(), &facts) != 0) {
    return error_from_errno("open the root " + root->path_, errno);
  }
  root->device_ = facts.st_dev;
  root->inode_ = facts.st_ino;
  return std::shared_ptr<const DiskRoot>(std::move(root));
}

bool DiskRoot::is_whole() const {
  struct stat facts {};
  return ::stat(path_.c_str(), &facts) == 0 && facts.st_dev == device_ && facts.st_ino == inode_ &&
         ::access((path_ + known_place).c_str(), F_OK) == 0;
}

DiskRoot::~DiskRoot() {
  if (unused_) unused_->push_back(path_.substr(path_.rfind('/') + 1));
}

}  // namespace satellite::sandbox
