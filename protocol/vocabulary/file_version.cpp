#include "protocol/vocabulary/file_version.hpp"

#include <sys/stat.h>

namespace satellite {
namespace {

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileVersion version_of_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev,
          status.st_ino,
          static_cast<std::uint64_t>(status.st_size),
          status.st_mode,
          nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

}  // namespace satellite
