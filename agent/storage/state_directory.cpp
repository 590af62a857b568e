#include "agent/storage/state_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

namespace satellite::agent {
namespace {

Error cannot(const std::string& what, int failure) {
  return error_from_errno("state directory: " + what, failure);
}

Result<UniqueFd> open_directory(const std::string& path) {
  // Only the last component: what should hold it is the operator's.
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return cannot("mkdir " + path, errno);
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return cannot("open " + path, errno);
  struct stat facts {};
  if (::fstat(directory.get(), &facts) != 0) return cannot("stat " + path, errno);
  if (facts.st_uid != ::geteuid()) {
    return Error{ErrorCode::not_permitted, "state directory: " + path +
                                               " belongs to another user; name another one, or "
                                               "change its owner"};
  }
  // Service managers make it readable for all; who may look into it may read what scripts wrote.
  if ((facts.st_mode & 077) != 0 && ::fchmod(directory.get(), 0700) != 0) {
    return cannot("chmod " + path, errno);
  }
  return directory;
}

std::string holder_of(int lock) {
  std::array<char, 24> text{};
  const ssize_t size = ::pread(lock, text.data(), text.size(), 0);
  std::string pid(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::size_t digits = pid.find_first_not_of("0123456789");
  pid.resize(digits == std::string::npos ? pid.size() : digits);
  return pid.empty() ? "unknown" : pid;
}

}  // namespace

Result<StateDirectory> StateDirectory::open(const std::string& path) {
  const auto directory = open_directory(path);
  if (!directory) return directory.error();
  UniqueFd lock(
      ::openat(directory->get(), "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return cannot("open " + path + "/lock", errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return cannot("lock " + path, errno);
    return Error{ErrorCode::unavailable,
                 "state directory: " + path + " is used by another satellite, process " +
                     holder_of(lock.get()) + "; stop that one, or name another directory"};
  }
  // The number is for people. Who cannot write it on a full disk holds the lock all the same.
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.get(), 0) == 0) {
    const ssize_t written = ::pwrite(lock.get(), pid.data(), pid.size(), 0);
    static_cast<void>(written);
  }
  return StateDirectory(path, std::move(lock));
}

Result<std::string> set_aside(const std::string& file, const std::string& why) {
  const std::string target = file + "." + why;
  for (const std::string_view suffix : {"-wal", "-journal", ""}) {
    const std::string from = file + std::string(suffix);
    if (::rename(from.c_str(), (target + std::string(suffix)).c_str()) != 0 && errno != ENOENT) {
      return error_from_errno("set aside " + from, errno);
    }
  }
  return target;
}

}  // namespace satellite::agent
