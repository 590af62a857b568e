#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <string>

namespace satellite::agent {

/// A token and the words for where it came from.
struct Token {
  Secret value;
  std::string source;
};

/// Reads a token file: one line, surrounding white space dropped, at most 4 KiB.
///
/// Errors: not_found or io_failed; not_permitted if others on the host could read or replace it
///         (any bit for others, or group-writable; group-readable is how fsGroup mounts look);
///         invalid_input if it is empty or holds more than printable ASCII.
Result<Token> read_token_file(const std::string& path, const std::string& setting);

/// Checks a token's characters; the same rule for every source.
Result<Token> checked_token(std::string text, const std::string& source);

}  // namespace satellite::agent
