#pragma once

#include "protocol/vocabulary/secret.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace satellite::tls {

constexpr std::size_t message_code_size = 32;

/// Codes that only who knows a secret can make: HMAC-SHA256 under a key that HKDF-SHA256 derives
/// from it, so that the secret itself is used for one thing only.
///
/// Shape:  `salt` is random and public; `purpose` keeps keys for different things apart.
/// Units:  codes are 32 raw bytes.
/// Errors: none; a library without SHA-256 is a broken installation and throws.
/// Source: RFC 5869, RFC 2104.
class MessageCode {
 public:
  MessageCode(const Secret& secret, std::string_view salt, std::string_view purpose);

  std::string of(std::string_view message) const;
  /// Compares in a time that does not depend on where they differ.
  bool is(std::string_view code, std::string_view message) const;

 private:
  Secret key_;
};

}  // namespace satellite::tls
