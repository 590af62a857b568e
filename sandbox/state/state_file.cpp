#include "sandbox/state/state_file.hpp"

#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/state/packed_state.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <utility>

namespace satellite::sandbox {
namespace {

// What a packed state has beyond content: for each entry its path and some numbers.
constexpr std::uint64_t heads_size_max =
    1'024 + state_entries_max * (32 + state_depth_max * std::uint64_t{256});

}  // namespace

Result<std::shared_ptr<const UniqueFd>> make_state_file(std::string_view packed) {
  auto file = kernel::make_scratch_file("state");
  if (!file) return file.error();
  std::size_t written = 0;
  while (written < packed.size()) {
    const ssize_t size = ::pwrite(file->get(), packed.data() + written, packed.size() - written,
                                  static_cast<off_t>(written));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return error_from_errno("write a state to memory", size < 0 ? errno : EIO);
    written += static_cast<std::size_t>(size);
  }
  return std::shared_ptr<const UniqueFd>(std::make_shared<UniqueFd>(*std::move(file)));
}

Result<std::string> read_state_file(int file, ByteCount size_max) {
  struct stat facts {};
  if (::fstat(file, &facts) != 0) return error_from_errno("fstat a state", errno);
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  if (size > size_max.value + heads_size_max) {
    return Error{ErrorCode::limit_exceeded, "a packed state of " + std::to_string(size) + " bytes"};
  }
  std::string bytes(static_cast<std::size_t>(size), '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t part =
        ::pread(file, bytes.data() + got, bytes.size() - got, static_cast<off_t>(got));
    if (part < 0 && errno == EINTR) continue;
    if (part <= 0) return error_from_errno("read a state", part < 0 ? errno : EIO);
    got += static_cast<std::size_t>(part);
  }
  return bytes;
}

}  // namespace satellite::sandbox
