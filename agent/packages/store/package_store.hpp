#pragma once

#include "agent/packages/archive/package_contents.hpp"
#include "agent/packages/archive/unpack_process.hpp"
#include "agent/packages/manifest/manifest.hpp"
#include "agent/packages/store/store_directory.hpp"
#include "protocol/core_messages.hpp"
#include "protocol/vocabulary/result.hpp"

#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

namespace satellite::agent {

/// Unpacked packages by the digest of the bytes that they came in.
///
/// Shape:  an entry is there or not, never in part: it is unpacked elsewhere and renamed. What is
///         damaged counts as not there and is removed, to be fetched again. Calls wait for disk and
///         child, so they belong on a thread for that.
/// Errors: of take_blob: invalid_input = wrong digest, no base64, or an archive that breaks a rule;
///         limit_exceeded = no room, or bounds of an archive; unsupported = the unpacking process
///         cannot be confined. Each text is fit for the core and names the package.
/// Source: core-contract 5.2.
class PackageStore {
 public:
  /// Borrows the directory. `unpack_program` is this program as a path.
  PackageStore(const StoreDirectory& directory, std::string unpack_program, std::stop_token stop);
  ~PackageStore();
  PackageStore(const PackageStore&) = delete;
  PackageStore& operator=(const PackageStore&) = delete;

  /// Where the package lies; nothing if it has to be fetched. Looks at every file of it.
  std::optional<std::string> find(const protocol::ScriptPackage& package);
  Result<void> take_blob(const protocol::ScriptPackage& package, std::string_view base64);
  /// Ends the unpacking process, which would wait for more.
  void end_unpacking();

  Result<PackageContents> contents_of(const std::string& entry) const;
  /// Whether every file of the entry has the size, and if asked the digest, that it was made with.
  enum class Depth { sizes, digests };
  bool is_whole(const std::string& entry, Depth depth) const;
  /// Removes entries that no tree links and nobody used for a day, and names that lead to none.
  /// Returns how many entries went.
  std::size_t collect();
  /// How many damaged entries were removed since the last call.
  std::size_t take_damaged();
  /// The walls around the unpacking process, once there was one.
  const std::string& walls() const { return walls_; }

 private:
  struct Blob;
  Result<Blob> decode(const protocol::ScriptPackage& package, std::string_view base64) const;
  Result<void> check_room(std::string_view base64) const;
  Result<void> unpack(const std::string& label, const Blob& blob);
  Result<void> start_unpacking();
  std::optional<std::string> entry_of(const protocol::ScriptPackage& package) const;
  bool is_unused(const std::string& entry) const;

  const StoreDirectory& directory_;
  std::string unpack_program_;
  std::stop_token stop_;
  std::optional<UnpackProcess> unpacking_;
  std::string unpack_directory_;
  std::string walls_;
  std::size_t damaged_ = 0;
  std::set<std::string> trusted_;  ///< entries whose content was checked, or made, by this object
};

}  // namespace satellite::agent
