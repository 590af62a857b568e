#pragma once

#include "protocol/vocabulary/result.hpp"
#include "tls/settings.hpp"

#include <cstdint>
#include <string>

namespace satellite::tls {

/// The operator's file of authorities, read anew when it changes: a new authority needs no restart,
/// and a broken file does not cut off a satellite that trusts the old one.
///
/// Shape:  looks at the file by name, one stat(2) at a time; keeps the text that was good last.
///         Without a file (the system's store counts) it does nothing.
class AuthorityFile {
 public:
  explicit AuthorityFile(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  /// What a connection trusts now.
  Settings settings() const;

  /// True if the file holds other text than before, which counts from now on.
  /// Errors: those of make_client_context, and limit_exceeded, once per change of the file; the
  ///         text that was good before still counts.
  Result<bool> refresh();

 private:
  struct Version {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t modified_ns = 0, changed_ns = 0;
    bool operator==(const Version&) const = default;
  };
  static Version version_of(const std::string& path);
  static Result<std::string> read(const std::string& path);

  std::string path_, text_;
  Version seen_;
  bool was_seen_ = false;
};

}  // namespace satellite::tls
