#pragma once

#include "protocol/vocabulary/result.hpp"

#include <array>
#include <string>
#include <string_view>

namespace satellite::tls {

/// The SHA-256 of a certificate's public key (its SubjectPublicKeyInfo), which stays the same when
/// the certificate is renewed for the same key.
///
/// Source: RFC 7469 section 2.4.
using Pin = std::array<unsigned char, 32>;

/// `sha256/` and 44 letters of base64; `sha256//`, as curl writes it, means the same.
///
/// Errors: invalid_input, with the shape that is expected.
Result<Pin> parse_pin(std::string_view text);

/// `sha256/…`, the form that a setting has.
std::string text_of(const Pin& pin);

}  // namespace satellite::tls
