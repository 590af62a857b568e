#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// The directory in which script packages are kept, and where everything lies in it:
///
///     store/<sha256 of the blob>/package/   the files of one package, 0444 or 0555
///     store/<sha256 of the blob>/contents   which files, their sizes and digests
///     index/<sha256 of an integrity>        the store's name of that package
///     manifests/<lockfile hash>             the packages of a tree
///     trees/<lockfile hash>/node_modules/   hard links into the store, and symbolic links
///     trees/<lockfile hash>/.complete       written last: without it there is no tree
///     current                               symbolic link to the tree in use
///     state, lock                           how it was left; who has it open
///
/// Shape:  what is being made has a name that begins with `.partial-` and gets its own by rename.
///         One process has it open for writing. Every call may wait for the disk.
/// Errors: unavailable = another process has it; not_permitted = somebody else could change it;
///         io_failed and the like from the calls.
class StoreDirectory {
 public:
  /// Makes what is missing, takes the lock, removes what was left half-made.
  static Result<StoreDirectory> open(const std::string& path);
  /// To look only: nothing is made, locked or changed. Errors: not_found.
  static Result<StoreDirectory> look_at(const std::string& path);

  const std::string& path() const { return path_; }
  std::string entry(std::string_view blob_sha256) const;
  std::string index(std::string_view integrity) const;
  std::string manifest(std::string_view lockfile_hash) const;
  std::string tree(std::string_view lockfile_hash) const;
  std::string current() const { return path_ + "/current"; }
  /// Names in `store`, `index`, `manifests` or `trees`, without what is half-made.
  std::vector<std::string> names_in(const char* folder) const;

  /// A name in `folder` that nothing has yet.
  std::string partial(const char* folder) const;
  /// Takes it out of sight at once, then removes it and all below it.
  void remove(const std::string& path) const;
  void remove_partial() const;

  /// The files may be trusted to be as they were written: the host has not stopped since, or the
  /// last owner closed the directory.
  bool is_content_certain() const { return is_content_certain_; }
  /// Nothing will be written any more.
  void close() const;

  /// What may still be written to the file system.
  std::optional<ByteCount> free_room() const;

 private:
  explicit StoreDirectory(std::string path) : path_(std::move(path)) {}
  Result<void> take_lock();
  Result<void> check_owner() const;

  std::string path_;
  UniqueFd lock_;
  bool is_content_certain_ = false;
};

/// A whole file of at most `size_max`, not through a symbolic link. Errors: not_found,
/// limit_exceeded, io_failed.
Result<std::string> read_store_file(const std::string& path, ByteCount size_max);
/// Makes or replaces a file in one step.
Result<void> write_store_file(const std::string& path, std::string_view text);

/// Whether the content of a regular file has this SHA-256.
bool has_digest(const std::string& path, const std::string& expected);

/// The same file system refused for want of room: the text names it.
Error disk_error(const std::string& what, const std::string& path, int error_number);

}  // namespace satellite::agent
