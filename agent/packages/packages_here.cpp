#include "agent/packages/packages_here.hpp"

#include "agent/packages/archive/unpack_process.hpp"
#include "agent/packages/package_disk.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace satellite::agent {

std::optional<PackagesHere> packages_here(const Config& config) {
  if (config.ephemeral || config.state_directory.empty()) return std::nullopt;
  const auto directory = StoreDirectory::look_at(packages_directory_in(config.state_directory));
  if (!directory) return std::nullopt;
  PackageStore store(*directory, PackagesPlace{}.unpack_program, {});
  const PackageTrees trees(*directory, store, {});
  const auto hash = trees.current();
  const auto manifest = hash ? trees.manifest_of(*hash) : Error{ErrorCode::not_found, ""};
  if (!manifest || !trees.completed_size(*hash)) return std::nullopt;
  return PackagesHere{*hash, directory->tree(*hash) + "/node_modules", manifest->entries.size()};
}

Result<std::string> try_unpacking(const std::string& scratch_parent) {
  std::string path = scratch_parent + "/csat-unpack-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    return error_from_errno("make a directory in " + scratch_parent, errno);
  }
  const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Result<std::string> walls = error_from_errno("open " + path, errno);
  if (directory) {
    const auto process = UnpackProcess::start(PackagesPlace{}.unpack_program, directory.get());
    walls = process ? Result<std::string>(process->walls()) : process.error();
  }
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
  return walls;
}

}  // namespace satellite::agent
