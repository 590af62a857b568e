#include "agent/config/secret_file.hpp"

#include "protocol/vocabulary/secret.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <string.h>  // explicit_bzero
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace satellite::agent {

Result<std::string> read_secret_file(const std::string& path, const std::string& name,
                                     ByteCount size_max) {
  constexpr std::size_t piece_size = 4096;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!file) return error_from_errno(name, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return error_from_errno(name, errno);
  if (!S_ISREG(status.st_mode)) {
    return Error{ErrorCode::invalid_input, name + " is not a regular file"};
  }
  if ((status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
    return Error{ErrorCode::not_permitted,
                 name +
                     " can be read or replaced by other users of this host; remedy: chmod 600, or, "
                     "for a secret that is mounted read-only, mount it with mode 0400 (defaultMode "
                     "in Kubernetes, mode in Docker)"};
  }
  std::string text;
  // At its full size from the start: growing would leave pieces of the secret behind.
  text.reserve(size_max.value + piece_size);
  std::array<char, piece_size> piece{};
  int failure = 0;
  // One byte more than allowed is enough to know that it is too long.
  while (text.size() <= size_max.value) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) failure = errno;
    if (got <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::explicit_bzero(piece.data(), piece.size());
  if (failure == 0) return text;
  wipe(text);
  return error_from_errno(name, failure);
}

bool lasts(const Error& error) {
  return error.code == ErrorCode::invalid_input || error.code == ErrorCode::not_permitted ||
         error.code == ErrorCode::not_found;
}

}  // namespace satellite::agent
