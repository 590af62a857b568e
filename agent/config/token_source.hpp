#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace satellite::agent {

/// A token and the words for where it came from.
struct Token {
  Secret value;
  std::string source;
};

/// The token that the environment held: moved out of the environment block, onto a page that no
/// child of this process inherits, so that the launcher, which is forked before the token is
/// needed, does not have it.
class EnvironmentToken {
 public:
  /// Null where the environment has none. Errors: none; without such a page there is no token.
  static std::shared_ptr<EnvironmentToken> take();
  ~EnvironmentToken();
  EnvironmentToken(const EnvironmentToken&) = delete;
  EnvironmentToken& operator=(const EnvironmentToken&) = delete;

  std::string_view reveal() const { return {page_, size_}; }

 private:
  EnvironmentToken() = default;
  char* page_ = nullptr;
  std::size_t size_ = 0;
};

extern const char* const token_variable;

/// Where the token is to be read, found and not yet read.
struct TokenSource {
  std::string file;     ///< empty = not a file
  std::string setting;  ///< the words for what names it
  std::shared_ptr<EnvironmentToken> environment;
  Secret text;  ///< where the caller brought an environment of its own

  bool found() const { return !file.empty() || environment != nullptr || !text.empty(); }
  std::string words() const;
};

/// Errors: those of read_token_file and checked_token.
Result<Token> read_token(const TokenSource& source);

/// Reads a token file: one line, surrounding white space dropped, at most 4 KiB.
///
/// Errors: not_found or io_failed; not_permitted if others on the host could read or replace it
///         (any bit for others, or group-writable; group-readable is how fsGroup mounts look);
///         invalid_input if it is empty or holds more than printable ASCII.
Result<Token> read_token_file(const std::string& path, const std::string& setting);

/// Checks a token's characters; the same rule for every source.
Result<Token> checked_token(std::string text, const std::string& source);

}  // namespace satellite::agent
