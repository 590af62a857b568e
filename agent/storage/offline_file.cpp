#include "agent/storage/offline_file.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "protocol/vocabulary/write_whole.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace satellite::agent {
namespace {

Error cannot_cache(const std::string& what, int failure) {
  return error_from_errno(what, failure);
}

Result<void> check_owner(const struct stat& facts) {
  if (S_ISREG(facts.st_mode) && facts.st_uid == ::geteuid() && (facts.st_mode & 077) == 0 &&
      facts.st_nlink == 1) {
    return {};
  }
  return Error{ErrorCode::not_permitted,
               "it is not a regular file of one name that only this user may read and write "
               "(mode 0600)"};
}

}  // namespace

Result<std::string> read_private_file(const std::string& path, ByteCount size_max) {
  // O_NONBLOCK: a named pipe in its place must not hold the thread.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return cannot_cache("open " + path, errno);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return cannot_cache("stat " + path, errno);
  if (const auto owned = check_owner(facts); !owned) return owned.error();
  if (static_cast<std::uint64_t>(facts.st_size) > size_max.value) {
    return Error{ErrorCode::limit_exceeded, "it is larger than any that this program writes"};
  }
  std::string content(static_cast<std::size_t>(facts.st_size), '\0');
  std::size_t read = 0;
  while (read < content.size()) {
    const ssize_t got = ::read(file.get(), content.data() + read, content.size() - read);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot_cache("read " + path, errno);
    if (got == 0) break;
    read += static_cast<std::size_t>(got);
  }
  content.resize(read);
  return content;
}

Result<void> replace_private_file(const std::string& path, std::string_view content) {
  const std::string fresh = path + ".new";
  if (::unlink(fresh.c_str()) != 0 && errno != ENOENT)
    return cannot_cache("remove " + fresh, errno);
  const UniqueFd file(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return cannot_cache("create " + fresh, errno);
  const bool is_written = write_whole(file.get(), content);
  if (!is_written || ::fsync(file.get()) != 0) {
    const Error error = cannot_cache(is_written ? "sync " + fresh : "write", errno);
    ::unlink(fresh.c_str());
    return error;
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return cannot_cache("rename " + fresh, errno);
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  const UniqueFd holder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!holder || ::fsync(holder.get()) != 0) return cannot_cache("sync " + directory, errno);
  return {};
}

Result<void> overwrite_head(const std::string& path, std::string_view head) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return cannot_cache("open " + path, errno);
  const ssize_t written = ::pwrite(file.get(), head.data(), head.size(), 0);
  if (written < 0) return cannot_cache("write " + path, errno);
  if (static_cast<std::size_t>(written) != head.size()) return cannot_cache("write " + path, EIO);
  if (::fdatasync(file.get()) != 0) return cannot_cache("sync " + path, errno);
  return {};
}

Result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return cannot_cache("remove " + path, errno);
}

}  // namespace satellite::agent
