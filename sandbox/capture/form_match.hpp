#pragma once

#include "sandbox/capture/escape.hpp"
#include "sandbox/capture/secret_forms.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// The result of comparing one form with the text at one place.
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
