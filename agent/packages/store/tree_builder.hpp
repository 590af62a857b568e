#pragma once

#include "agent/packages/archive/package_contents.hpp"
#include "agent/packages/manifest/manifest.hpp"
#include "agent/packages/placement/placement.hpp"
#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

namespace satellite::agent {

/// A package of a tree: where its files are, and which.
struct TreePackage {
  std::string name, version;
  std::string entry;  ///< of the store
  PackageContents contents;
};

/// How much a tree is, which is also how it is known again.
struct TreeSize {
  std::uint64_t files = 0, links = 0;
  ByteCount bytes;
  bool operator==(const TreeSize&) const = default;
};

/// Makes `node_modules` in the directory: packages and links where `placement` has them.
///
///     node_modules/<name>                                     -> one version of it
///     node_modules/.store/<package>/node_modules/<name>/      the files, hard links into the store
///     node_modules/.store/<package>/node_modules/<dependency> -> the version that it gets
///
/// Shape:  all links lead to other places in it, so that one bind of it shows everything. Where the
///         file system cannot link once more, a file is copied.
/// Errors: limit_exceeded = too large, or no room; cancelled; what the calls say.
/// Source: https://nodejs.org/api/modules.html#loading-from-node_modules-folders
Result<TreeSize> build_tree(const std::string& directory, const std::vector<TreePackage>& packages,
                            const PackagePlacement& placement, const std::stop_token& stop);

/// What really lies in `node_modules`, by looking.
Result<TreeSize> measure_tree(const std::string& node_modules);

}  // namespace satellite::agent
