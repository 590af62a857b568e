#pragma once

#include "agent/packages/store/package_store.hpp"
#include "agent/packages/store/package_trees.hpp"
#include "agent/packages/store/store_directory.hpp"
#include "agent/packages/sync_machine.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace satellite::agent {

/// Where the packages are kept.
struct PackagesPlace {
  /// Of the satellite; empty = packages are kept for the life of this process only.
  std::string state_directory;
  std::string scratch_parent;  ///< where that is then done
  /// This program as a path, started anew to unpack.
  std::string unpack_program = "/proc/self/exe";
};

/// Where `packages` of a state directory lie.
std::string packages_directory_in(const std::string& state_directory);

/// What the synchronisation does on disk, each call the work of one action.
///
/// Shape:  for one thread that may wait. Nothing is made before something is wanted: to open a
///         directory that is not there finds no packages. After a stop was requested, calls end
///         early with `cancelled`.
/// Errors: as the store's, each text fit for the core.
class PackageDisk {
 public:
  PackageDisk(PackagesPlace place, std::stop_token stop);
  ~PackageDisk();
  PackageDisk(const PackageDisk&) = delete;
  PackageDisk& operator=(const PackageDisk&) = delete;

  Result<std::optional<std::string>> open();
  Result<bool> look_for(const std::string& lockfile_hash);
  Result<ManifestCompared::Missing> compare(protocol::ScriptPackageManifest message);
  Result<void> take_blob(const protocol::ScriptPackage& package, std::string_view base64);
  Result<void> build(const PackageManifest& manifest);
  Result<void> use(const std::optional<std::string>& lockfile_hash);
  void collect(const std::set<std::string>& kept);

  /// What a person should know of the calls since the last time.
  std::vector<std::string> take_remarks();
  /// The directory; empty before there is one.
  const std::string& directory() const { return directory_; }

 private:
  struct Opened;
  Result<Opened*> opened();
  Result<void> make_temporary_directory();

  PackagesPlace place_;
  std::stop_token stop_;
  std::string directory_;
  std::string temporary_;  ///< what is removed at the end
  UniqueFd temporary_lock_;
  std::unique_ptr<Opened> opened_;
  std::vector<std::string> remarks_;
};

}  // namespace satellite::agent
