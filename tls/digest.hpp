#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace satellite::tls {

/// SHA-256 of bytes that come in pieces.
///
/// Shape:  digests are 64 lowercase hexadecimal digits.
/// Errors: none; a library without SHA-256 is a broken installation and throws.
/// Source: RFC 6234.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::string_view bytes);
  /// The digest of all bytes since the last one; the next byte begins anew.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_of(std::string_view bytes);
/// The same digest in base64, as a Content-Security-Policy names inline scripts.
std::string base64_sha256_of(std::string_view bytes);

}  // namespace satellite::tls
