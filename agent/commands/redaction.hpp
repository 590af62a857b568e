#pragma once

#include "protocol/vocabulary/secret.hpp"
#include "sandbox/capture/masker.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// Takes secrets out of texts that leave this host.
///
/// Shape:  what is known goes in every form in which outputs of scripts are masked: plain, base64,
///         base32, hexadecimal, escaped for URLs, JSON and shells. Then goes whatever looks like a
///         secret, known or not: without_likely_secrets. Rather too much goes than too little.
class Redaction {
 public:
  /// Values of fewer than four bytes cannot be told from any text and are left out.
  explicit Redaction(std::vector<Secret> known);

  std::string applied_to(std::string_view text) const;

 private:
  std::vector<Secret> known_;
  std::unique_ptr<sandbox::SecretPatterns> patterns_;
};

/// The text with a mask in the place of: user and query of a URL; the value behind `password=`,
/// `token:`, `"secret": "` and their kin; what stands behind Bearer and Basic; PEM private keys;
/// words that begin as tokens of known services do; and long words that mix upper case, lower case
/// and digits, or are long hexadecimal numbers.
///
/// Shape:  pure, in linear time. A JSON text whose secrets are strings stays one.
std::string without_likely_secrets(std::string_view text);

}  // namespace satellite::agent
