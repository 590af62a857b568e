#include "sandbox/kernel/memory_file.hpp"

#include "sandbox/kernel/missing_headers.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>

namespace satellite::sandbox::kernel {
namespace {

constexpr int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

/// Since 6.3 an explicit word about executability keeps the kernel from warning, and lets
/// vm.memfd_noexec=1 work; older kernels do not know the flags.
int create(const char* name, Executable executable) {
  const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const unsigned word = executable == Executable::yes ? memfd_exec : memfd_noexec_seal;
  const int fd = ::memfd_create(name, flags | word);
  if (fd >= 0 || errno != EINVAL) return fd;
  return ::memfd_create(name, flags);
}

}  // namespace

Result<UniqueFd> make_memory_file(const char* name, std::string_view bytes, Executable executable) {
  UniqueFd file(create(name, executable));
  if (!file) return error_from_errno("memfd_create", errno);
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t size = ::pwrite(file.get(), bytes.data() + written, bytes.size() - written,
                                  static_cast<off_t>(written));
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return error_from_errno("write a memory file", errno);
    written += static_cast<std::size_t>(size);
  }
  if (::fcntl(file.get(), F_ADD_SEALS, all_seals) != 0) {
    return error_from_errno("seal a memory file", errno);
  }
  return file;
}

Result<UniqueFd> make_scratch_file(const char* name) {
  UniqueFd file(create(name, Executable::no));
  if (!file) return error_from_errno("memfd_create", errno);
  return file;
}

Result<std::string> read_sealed_file(int fd, ByteCount size_max) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & all_seals) != all_seals) {
    return Error{ErrorCode::invalid_input, "the file is not sealed"};
  }
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return error_from_errno("fstat", errno);
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (size > size_max.value) {
    return Error{ErrorCode::limit_exceeded, "the file has " + std::to_string(size) + " bytes"};
  }
  std::string bytes(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const ssize_t part = ::pread(fd, bytes.data() + got, size - got, static_cast<off_t>(got));
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) return error_from_errno("read a memory file", part < 0 ? errno : EIO);
    got += static_cast<std::size_t>(part);
  }
  return bytes;
}

std::string read_beginning(int fd, std::size_t size_max) {
  std::string bytes(size_max, '\0');
  const ssize_t size = ::pread(fd, bytes.data(), bytes.size(), 0);
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return bytes;
}

}  // namespace satellite::sandbox::kernel
