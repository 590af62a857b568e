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

/// What became of looking for a form at one place.
struct FormMatch {
  enum class Kind { none, unfinished, found };
  Kind kind = Kind::none;
  std::size_t size = 0;  ///< in the text
  /// Where none was found: another form that reads texts in the same way and has the same first
  /// `looked` units is not found either.
  std::size_t looked = 0;
  std::size_t work = 0;  ///< steps taken
};

/// How a character is written in a form's units.
char canonical_unit(SecretForm::Alphabet alphabet, char c);

/// All forms of one secret; empty when it is too short to be masked. A form longer than some dozen
/// characters comes in pieces that overlap, so that what is held back between two reads stays
/// small.
std::vector<SecretForm> forms_of_secret(std::string_view secret);

/// Whether `form` begins at `start`, and how far it goes.
///
/// Shape:  `unfinished` only with TextEnd::open. What is found does not depend on where the text
///         was cut.
FormMatch match_form(const SecretForm& form, std::string_view text, std::size_t start, TextEnd end);

/// Two characters with which a match of a form may begin.
struct FirstPair {
  char first = 0, second = 0;
};
/// All of them for one form, perhaps a few more.
std::vector<FirstPair> first_pairs_of(const SecretForm& form);

/// Three characters with which a match begins whose first two are the first units as they are.
struct FirstThree {
  char first = 0, second = 0, third = 0;
};
std::vector<FirstThree> first_threes_of(const SecretForm& form);

}  // namespace satellite::sandbox
