#include "sandbox/capture/secret_patterns.hpp"

#include "protocol/vocabulary/secret.hpp"
#include "sandbox/capture/escape.hpp"
#include "sandbox/capture/form_match.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace satellite::sandbox {
namespace {

constexpr std::size_t pair_count = 1U << 16U;

std::uint16_t pair_at(const char* text) {
  std::uint16_t pair = 0;
  std::memcpy(&pair, text, sizeof pair);
  return pair;
}

/// The place of three characters in a table. Where different ones share a place, the text is looked
/// at more closely without need.
std::uint16_t place_of(std::uint16_t pair, char third) {
  const unsigned mixed = pair * 0x9E37U ^ static_cast<unsigned char>(third) * 0x01F5U;
  return static_cast<std::uint16_t>(mixed & 0xFFFFU);
}

bool begin_alike(const SecretForm& a, const SecretForm& b) {
  return a.alphabet == b.alphabet && a.escaped == b.escaped &&
         a.units.compare(0, 3, b.units, 0, 3) == 0;
}

std::string_view without_outer_space(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  const std::size_t first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) - first + 1);
}

}  // namespace

SecretPatterns::SecretPatterns(const std::vector<std::string_view>& secrets) {
  for (const auto secret : secrets) {
    add_forms(secret);
    // A line break at the end of a stored secret is often not part of it, and shells drop it.
    const std::string_view inner = without_outer_space(secret);
    if (inner.size() < secret.size()) add_forms(inner);
  }
  if (forms_.empty()) return;
  sort_forms(forms_);
  groups_ = groups_of(forms_);
  is_first_pair_.assign(pair_count, 0);
  is_first_three_.assign(pair_count, 0);
  const SecretForm* before = nullptr;
  for (const SecretForm& form : forms_) {
    // The first three units decide.
    if (before != nullptr && begin_alike(*before, form)) continue;
    before = &form;
    for (const FirstPair pair : first_pairs_of(form)) {
      const std::array<char, 2> bytes{pair.first, pair.second};
      is_first_pair_[pair_at(bytes.data())] = 1;
      is_first_[static_cast<unsigned char>(pair.first)] = true;
    }
    for (const FirstThree three : first_threes_of(form)) {
      const std::array<char, 2> bytes{three.first, three.second};
      is_first_three_[place_of(pair_at(bytes.data()), three.third)] = 1;
    }
  }
}

void SecretPatterns::add_forms(std::string_view secret) {
  auto forms = forms_of_secret(secret);
  std::move(forms.begin(), forms.end(), std::back_inserter(forms_));
  // Moving a short string copies it, so the originals are wiped.
  for (SecretForm& form : forms) wipe(form.units);
}

SecretPatterns::~SecretPatterns() {
  for (SecretForm& form : forms_) wipe(form.units);
}

std::size_t SecretPatterns::next_candidate(std::string_view text, std::size_t from) const {
  // The last byte has no pair.
  const std::size_t end = text.size() - 1;
  const char* const bytes = text.data();
  const std::uint8_t* const is_first = is_first_pair_.data();
  constexpr std::size_t stride = 4;
  while (from + stride <= end) {
    const unsigned any = static_cast<unsigned>(is_first[pair_at(bytes + from)]) |
                         is_first[pair_at(bytes + from + 1)] | is_first[pair_at(bytes + from + 2)] |
                         is_first[pair_at(bytes + from + 3)];
    if (any != 0) break;
    from += stride;
  }
  while (from < end && is_first[pair_at(bytes + from)] == 0) ++from;
  return from;
}

bool SecretPatterns::goes_on(std::string_view text, std::size_t start) const {
  // Letters and digits introduce no escape, so that two of them are the first units themselves.
  if (start + 2 >= text.size() || !is_alphanumeric(text[start])) return true;
  const char second = text[start + 1], third = text[start + 2];
  const auto begins_with_three = [&] {
    return is_first_three_[place_of(pair_at(text.data() + start), third)] != 0;
  };
  if (is_alphanumeric(second)) return begins_with_three();
  // Every line ends like this: the line break is a unit itself, or one between the first two units.
  if (second != '\n' || !is_alphanumeric(third)) return true;
  const std::array<char, 2> around{text[start], third};
  return begins_with_three() || is_first_pair_[pair_at(around.data())] != 0;
}

std::optional<SecretPatterns::Match> SecretPatterns::find(std::string_view text, std::size_t from,
                                                          TextEnd end, Work& work) const {
  if (forms_.empty() || from >= text.size()) return std::nullopt;
  for (std::size_t at = next_candidate(text, from); at + 1 < text.size();
       at = next_candidate(text, at + 1)) {
    if (!goes_on(text, at)) continue;
    if (work.done >= work.max) return Match{at, 0, true, true};
    const PlaceMatch match = match_forms(forms_, groups_, text, at, end);
    work.done += match.work;
    if (match.unfinished || match.too_much || match.size > 0) {
      return Match{at, match.size, match.unfinished, false, match.too_much};
    }
  }
  const bool may_begin = end == TextEnd::open && is_first_[static_cast<unsigned char>(text.back())];
  if (may_begin) return Match{text.size() - 1, 0, true};
  return std::nullopt;
}

}  // namespace satellite::sandbox
