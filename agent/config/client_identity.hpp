#pragma once

#include "agent/config/config.hpp"
#include "protocol/vocabulary/file_version.hpp"
#include "protocol/vocabulary/result.hpp"
#include "tls/client_certificate.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace satellite::agent {

/// The client certificate and its key in two files (which may be one), read anew when either
/// changes: a renewed certificate needs no restart, and a half-written pair does not cut off a
/// satellite that has a good one.
///
/// Shape:  looks at both files by name, two stat(2) a look; keeps the pair that was good last.
///         Without files it does nothing.
class ClientIdentity {
 public:
  explicit ClientIdentity(ClientFiles files) : files_(std::move(files)) {}

  /// Null = none. Shared with the connections that began with it.
  std::shared_ptr<const tls::ClientCertificate> certificate() const { return certificate_; }
  const ClientFiles& files() const { return files_; }

  /// True if the files hold another pair than before, which counts from now on.
  /// Errors: of reading (a key as read_secret_file has it: not_permitted where others can read it)
  ///         and of tls::describe, once per change of the files or, where those are not to blame,
  ///         of their words; the pair that was good still counts.
  Result<bool> refresh();
  /// The next look reads the files, even if they seem to be as they were.
  void forget_look() {
    was_seen_ = false;
    told_.clear();
  }
  /// Other files count from now on, if they are good. Errors: as above.
  Result<void> replace(ClientFiles files);

 private:
  ClientFiles files_;
  std::shared_ptr<const tls::ClientCertificate> certificate_;
  std::array<FileVersion, 2> seen_{};
  bool was_seen_ = false;
  std::string told_;  ///< the last problem that will pass
};

/// Reads the pair once and looks whether it is one. Errors: as above.
Result<tls::ClientCertificate> read_client_certificate(const ClientFiles& files);

}  // namespace satellite::agent
