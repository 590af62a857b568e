#pragma once

#include "sandbox/capture/escape.hpp"

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// One form in which a secret, or a piece of a long one, may stand in a text.
///
/// Shape:  `units` are the characters that have to appear, each as it is or escaped. A family of
///         `escaped` always introduces an escape in this form, any other never does: so that there
///         is one way to read a text, and matching takes linear time whatever the text holds.
struct SecretForm {
  enum class Alphabet {
    text,         ///< the secret's own bytes
    base64,       ///< both alphabets, wrapped lines
    base32,       ///< either case, wrapped lines
    hexadecimal,  ///< either case, wrapped, spaced out byte by byte, or as the lines of a dump
  };
  std::string units;
  Alphabet alphabet = Alphabet::text;
  EscapeSet escaped = escapes::none;
  /// So many units from the front cannot be mistaken for escapes: where they stand as they are, one
  /// comparison tells.
  std::size_t plain_size = 0;
  auto operator<=>(const SecretForm&) const = default;
};

/// All forms of one secret; empty when it is too short to be masked. A form longer than some dozen
/// characters comes in pieces that overlap, so that what is held back between two reads stays
/// small.
std::vector<SecretForm> forms_of_secret(std::string_view secret);

}  // namespace satellite::sandbox
