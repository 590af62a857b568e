#pragma once

#include "agent/config/token_source.hpp"
#include "protocol/vocabulary/file_version.hpp"
#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/secret.hpp"

#include <string>

namespace satellite::agent {

/// The token in use, read anew when its file changes: a rotated token needs no restart.
///
/// Shape:  looks at the file by name, because service managers and Kubernetes put a new file or
///         link in the place of the old one; a look is one stat(2). A token from the environment
///         stays what it is.
class TokenWatch {
 public:
  TokenWatch(TokenSource source, Secret token);

  const Secret& token() const { return token_; }
  /// The words for where it comes from.
  const std::string& source() const { return words_; }
  bool is_file() const { return !source_.file.empty(); }

  /// True if the file holds another token than before, which is in use from now on.
  /// Errors: those of read_token_file, once per change of the file or, where that is not to
  ///         blame, of their words; the old token stays in use.
  Result<bool> refresh();
  /// Where the token is from now on, if one can be read there. True if it is another one.
  Result<bool> replace(TokenSource source);
  const std::string& file() const { return source_.file; }

 private:
  TokenSource source_;
  std::string words_;
  Secret token_;
  FileVersion seen_;
  std::string told_;  ///< the last problem that will pass
};

}  // namespace satellite::agent
