#include "agent/commands/written_file.hpp"

#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace satellite::agent {
namespace {

Result<void> write_all(int fd, std::string_view text, const std::string& name) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return error_from_errno(name, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0) return error_from_errno(name, errno);
  return {};
}

}  // namespace

Result<void> put_file(const std::string& path, std::string_view text, mode_t mode) {
  const std::string next = path + ".new";
  // One that an earlier attempt left, whoever owns it.
  ::unlink(next.c_str());
  const UniqueFd file(
      ::open(next.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file) return error_from_errno(path, errno);
  auto written = write_all(file.get(), text, path);
  // Whatever the umask is.
  if (written && ::fchmod(file.get(), mode) != 0) written = error_from_errno(path, errno);
  if (written && ::rename(next.c_str(), path.c_str()) != 0) {
    written = error_from_errno(path, errno);
  }
  if (!written) ::unlink(next.c_str());
  return written;
}

}  // namespace satellite::agent
