#pragma once

#include "protocol/vocabulary/file_version.hpp"
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
  static Result<std::string> read(const std::string& path);

  std::string path_, text_;
  FileVersion seen_;
  bool was_seen_ = false;
};

}  // namespace satellite::tls
