#include "agent/commands/written_file.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "protocol/vocabulary/write_whole.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

namespace satellite::agent {
namespace {

/// Where a link leads to; the path itself where nothing is there yet.
std::string place_behind(const std::string& path) {
  std::error_code failure;
  const auto place = std::filesystem::weakly_canonical(path, failure);
  return failure ? path : place.string();
}

/// Without it a new name may be lost with the power.
void keep_names_in(const std::string& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) static_cast<void>(::fsync(fd.get()));
}

}  // namespace

WrittenFile::WrittenFile(WrittenFile&& other) noexcept : place_(std::exchange(other.place_, {})) {}

WrittenFile::~WrittenFile() {
  if (!place_.empty()) ::unlink(next().c_str());
}

Result<WrittenFile> WrittenFile::write(const std::string& path, std::string_view text, Mode mode) {
  WrittenFile written(place_behind(path));
  struct stat before {};
  const bool was_there = ::stat(written.place_.c_str(), &before) == 0;
  // One that an earlier attempt left, whoever owns it.
  ::unlink(written.next().c_str());
  const UniqueFd file(::open(written.next().c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                             mode.fresh & 0600));
  if (!file) return error_from_errno(path, errno);
  if (!write_whole(file.get(), text)) return error_from_errno(path, errno);
  // The owner before the mode, which a change of owner may take bits from.
  if (was_there && ::fchown(file.get(), before.st_uid, before.st_gid) != 0) {
    return error_from_errno(path, errno);
  }
  // Whatever the umask is.
  if (::fchmod(file.get(), was_there ? before.st_mode & mode.kept_max : mode.fresh) != 0 ||
      ::fsync(file.get()) != 0) {
    return error_from_errno(path, errno);
  }
  return written;
}

Result<void> WrittenFile::put() {
  if (::rename(next().c_str(), place_.c_str()) != 0) return error_from_errno(place_, errno);
  const std::string place = std::exchange(place_, {});
  keep_names_in(std::filesystem::path(place).parent_path().string());
  return {};
}

}  // namespace satellite::agent
