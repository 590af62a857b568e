#pragma once

#include "protocol/vocabulary/result.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace satellite::tls {

/// What a throw-away certificate is made for.
struct CertificateRequest {
  /// DNS names and numeric addresses; the first one is also shown as the subject.
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
  /// Relative to now; a test makes an expired certificate with a negative end.
  std::chrono::seconds valid_from = -std::chrono::minutes(5);
  std::chrono::seconds valid_until = std::chrono::hours(24);
  /// `serverAuth`, or `clientAuth` for one that a satellite shows.
  std::string extended_key_usage = "serverAuth";
};

/// A certificate with its key, both PEM.
struct CertifiedKey {
  std::string certificate_pem;
  std::string key_pem;
};

/// A certificate authority that lives as long as this object and signs certificates.
///
/// Shape:  P-256 keys, made fresh, never meant to be trusted beyond a demo or a test. The name
///         carries a random number, so that two of them are never taken for each other.
/// Errors: internal when OpenSSL refuses; invalid_input for a name that no certificate can hold.
class TemporaryAuthority {
 public:
  static Result<TemporaryAuthority> create();

  Result<CertifiedKey> sign(const CertificateRequest& request) const;

  const std::string& certificate_pem() const { return own_.certificate_pem; }

  /// For `tls.ca_file`; the file is readable for everybody, as a certificate is no secret.
  Result<void> write_certificate(const std::filesystem::path& path) const;

 private:
  explicit TemporaryAuthority(CertifiedKey own) : own_(std::move(own)) {}

  CertifiedKey own_;
};

/// Writes a file that only its owner may read, created with mode 0600 from the first byte on.
Result<void> write_private_file(const std::filesystem::path& path, const std::string& text);

}  // namespace satellite::tls
