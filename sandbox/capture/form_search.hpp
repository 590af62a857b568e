#pragma once

#include "sandbox/capture/secret_forms.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// Forms that read a text in the same way: one alphabet, the same escapes. They stand side by side,
/// sorted by their units, so that those with one beginning are neighbours.
struct FormGroup {
  SecretForm::Alphabet alphabet = SecretForm::Alphabet::text;
  EscapeSet escaped = escapes::none;
  std::array<std::uint32_t, 257> by_first_unit{};  ///< where the forms with each first unit begin
};

/// In the order that groups need; each form once.
void sort_forms(std::vector<SecretForm>& forms);
std::vector<FormGroup> groups_of(const std::vector<SecretForm>& sorted_forms);

/// The result of comparing all forms with the text at one place.
struct PlaceMatch {
  bool unfinished = false;  ///< more text has to come before it can be told
  bool too_much = false;    ///< given up: it would take more than `place_work_max`
  std::size_t size = 0;     ///< of the longest form; 0 = none begins here
  std::size_t work = 0;     ///< spent, in steps of some nanoseconds
};

/// Some milliseconds of work. Only secrets that were made for it take so long at one place: many
/// pieces that differ late, or in what an escape can be read as.
inline constexpr std::size_t place_work_max = 1U << 20U;

/// Looks for all forms at once: the text is read once, and each character leaves fewer of them.
/// Which forms are compared one by one depends on the text from `start` on alone, not on where it
/// was cut.
PlaceMatch match_forms(const std::vector<SecretForm>& forms, const std::vector<FormGroup>& groups,
                       std::string_view text, std::size_t start, TextEnd end);

}  // namespace satellite::sandbox
