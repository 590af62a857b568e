#pragma once

#include "agent/packages/manifest/manifest.hpp"
#include "agent/packages/store/package_store.hpp"
#include "agent/packages/store/store_directory.hpp"
#include "agent/packages/store/tree_builder.hpp"
#include "protocol/core_messages.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace satellite::agent {

/// The trees of packages that scripts see, one for each lockfile hash.
///
/// Shape:  a tree is there or not, never in part. One that is damaged is made anew from the store,
///         without the core, where the store still has all of it. Calls wait for the disk.
/// Errors: as the store's; of find and build: cancelled when the agent stops.
class PackageTrees {
 public:
  PackageTrees(const StoreDirectory& directory, PackageStore& store, std::stop_token stop)
      : directory_(directory), store_(store), stop_(std::move(stop)) {}

  /// Whether the tree may be used now; heals it if it can.
  Result<bool> find(const std::string& lockfile_hash);
  /// Which packages of the list have to be fetched.
  struct Comparison {
    PackageManifest manifest;
    std::vector<std::size_t> missing;  ///< the first entry of each integrity that is
  };
  Result<Comparison> compare(protocol::ScriptPackageManifest message);
  struct Built {
    TreeSize size;
    std::vector<std::string> warnings;
  };
  Result<Built> build(const PackageManifest& manifest);

  /// The hash of the tree in use, as the link says.
  std::optional<std::string> current() const;
  /// Makes it the one in use, or none.
  Result<void> make_current(const std::optional<std::string>& lockfile_hash);
  /// Removes trees that are neither in `kept` nor were in use within the last hour. Returns how
  /// many went.
  std::size_t collect(const std::set<std::string>& kept);

  /// What the tree was made with; nothing if it is not complete.
  std::optional<TreeSize> completed_size(const std::string& lockfile_hash) const;
  Result<PackageManifest> manifest_of(const std::string& lockfile_hash) const;
  /// Hashes of all complete trees.
  std::vector<std::string> all() const;
  /// Whether every file of the tree is that of the store, or has the content that it should.
  bool is_of_store(const std::string& lockfile_hash) const;
  /// Removes every tree that has the package of this entry of the store.
  void remove_with(const std::string& blob_sha256);

 private:
  bool is_whole(const std::string& lockfile_hash);
  Result<std::vector<TreePackage>> packages_of(PackageManifest& manifest);

  const StoreDirectory& directory_;
  PackageStore& store_;
  std::stop_token stop_;
};

}  // namespace satellite::agent
