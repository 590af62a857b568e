#include "agent/checks/config/secret_reference.hpp"

#include "sandbox/report/run_request.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

namespace satellite::agent {
namespace {

constexpr std::size_t secret_name_size_max = 63;
constexpr std::size_t references_max = 16;
constexpr std::size_t divisions_max = 16;
/// Past it no further division is looked at: what a run masks has a bound, and guesses must not
/// take it up.
constexpr std::size_t further_parts_size_max = 64U << 10U;

bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_name_character(char c) {
  return is_ascii_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

void take_space(std::string_view& text) {
  const auto first = text.find_first_not_of(" \t\n\v\f\r");
  text.remove_prefix(first == std::string_view::npos ? text.size() : first);
}

/// How many characters of `text` the reference at its front takes; 0 where there is none.
std::size_t reference_size(std::string_view text) {
  const std::size_t whole = text.size();
  if (!take(text, "${{")) return 0;
  take_space(text);
  if (!take(text, "secrets.")) return 0;
  const auto end = std::find_if_not(text.begin(), text.end(), is_name_character);
  if (end == text.begin()) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
  take_space(text);
  return take(text, "}}") ? whole - text.size() : 0;
}

/// What stands before, between and behind the references of a text, `count_max` of them and
/// one more at most.
std::vector<std::string_view> literals_of(std::string_view text, std::size_t count_max) {
  std::vector<std::string_view> literals;
  std::size_t begin = 0;
  for (auto at = text.find("${{"); at != std::string_view::npos;) {
    const std::size_t size = reference_size(text.substr(at));
    if (size > 0) {
      literals.push_back(text.substr(begin, at - begin));
      begin = at + size;
      if (literals.size() > count_max) break;
    }
    at = text.find("${{", size > 0 ? begin : at + 1);
  }
  literals.push_back(text.substr(begin));
  return literals;
}

/// All places of a separator in a value. Text and value are the core's, so that the time must grow
/// with their sizes alone: Knuth, Morris and Pratt.
std::vector<std::uint32_t> places_of(std::string_view separator, std::string_view value) {
  // Of each start of the separator: how long a shorter start is with which it ends, too.
  std::vector<std::uint32_t> shorter(separator.size(), 0);
  for (std::uint32_t at = 1, same = 0; at < separator.size(); ++at) {
    while (same > 0 && separator[at] != separator[same]) same = shorter[same - 1];
    if (separator[at] == separator[same]) ++same;
    shorter[at] = same;
  }
  std::vector<std::uint32_t> places;
  for (std::uint32_t at = 0, same = 0; at < value.size(); ++at) {
    while (same > 0 && value[at] != separator[same]) same = shorter[same - 1];
    if (value[at] == separator[same]) ++same;
    if (same < separator.size()) continue;
    places.push_back(at + 1 - same);
    same = shorter[same - 1];
  }
  return places;
}

/// The ways to divide a value between its references, one after the other.
class Divisions {
 public:
  Divisions(const std::vector<std::string_view>& separators, std::string_view value)
      : value_(value) {
    for (const auto separator : separators) {
      separators_.push_back({separator.size(), places_of(separator, value), 0});
    }
    // A place behind which the others find no room leads nowhere and is left out, so that each
    // choice among the rest can be completed.
    std::size_t end = value.size();
    for (auto separator = separators_.rbegin(); separator != separators_.rend(); ++separator) {
      auto& places = separator->places;
      while (!places.empty() && places.back() + separator->size > end) places.pop_back();
      if (places.empty()) return;
      end = places.back();
    }
    choose_first(0);
    exists_ = true;
  }

  bool exists() const { return exists_; }
  std::vector<std::string_view> parts() const {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    for (const Separator& separator : separators_) {
      const std::size_t place = separator.places[separator.chosen];
      parts.push_back(value_.substr(begin, place - begin));
      begin = place + separator.size;
    }
    parts.push_back(value_.substr(begin));
    return parts;
  }
  /// False when there is no other.
  bool next() {
    for (std::size_t index = separators_.size(); index > 0; --index) {
      Separator& separator = separators_[index - 1];
      if (++separator.chosen == separator.places.size()) continue;
      choose_first(index);
      return true;
    }
    return false;
  }

 private:
  struct Separator {
    std::size_t size;
    std::vector<std::uint32_t> places;
    std::size_t chosen;
  };

  /// From separator number `index` on, the first places behind those before.
  void choose_first(std::size_t index) {
    for (; index < separators_.size(); ++index) {
      Separator& separator = separators_[index];
      const Separator* const before = index > 0 ? &separators_[index - 1] : nullptr;
      const std::size_t begin = before ? before->places[before->chosen] + before->size : 0;
      const auto first = std::lower_bound(separator.places.begin(), separator.places.end(), begin);
      separator.chosen = static_cast<std::size_t>(first - separator.places.begin());
    }
  }

  std::string_view value_;
  std::vector<Separator> separators_;
  bool exists_ = false;
};

/// The parts of each division, up to a bound for their number and one for their size.
std::vector<Secret> parts_of(Divisions divisions) {
  std::vector<Secret> secrets;
  std::size_t size = 0;
  if (!divisions.exists()) return secrets;
  for (std::size_t count = 0; count < divisions_max; ++count) {
    for (const std::string_view part : divisions.parts()) {
      const bool known = std::any_of(secrets.begin(), secrets.end(), [part](const Secret& secret) {
        return secret.reveal() == part;
      });
      if (part.empty() || known) continue;
      secrets.emplace_back(std::string(part));
      size += part.size();
    }
    if (size > further_parts_size_max || !divisions.next()) break;
  }
  return secrets;
}

}  // namespace

bool holds_secret_reference(std::string_view text) {
  return literals_of(text, 0).size() > 1;
}

std::vector<Secret> secrets_inside(std::string_view text, std::string_view value) {
  // A longer value is refused as a whole where its run is about to begin.
  if (value.size() > sandbox::masked_size_max.value) return {};
  auto literals = literals_of(text, references_max);
  const std::string_view first = literals.front(), last = literals.back();
  std::size_t literal_size = 0;
  for (const auto literal : literals) literal_size += literal.size();
  const bool is_made_of_it = literals.size() > 1 && literals.size() <= references_max + 1 &&
                             value.size() >= literal_size && value.starts_with(first) &&
                             value.ends_with(last);
  if (!is_made_of_it) return {};
  value.remove_prefix(first.size());
  value.remove_suffix(last.size());
  const std::vector<std::string_view> separators(literals.begin() + 1, literals.end() - 1);
  // Two references side by side could be divided anywhere; nothing can be known then.
  const bool apart = std::none_of(separators.begin(), separators.end(),
                                  [](std::string_view separator) { return separator.empty(); });
  return apart ? parts_of(Divisions(separators, value)) : std::vector<Secret>();
}

bool is_secret_name(std::string_view text) {
  return !text.empty() && text.size() <= secret_name_size_max && is_ascii_letter(text.front()) &&
         std::all_of(text.begin(), text.end(), is_name_character);
}

bool is_config_secret_marker(std::string_view text) {
  return text.starts_with("__hcsecret__:");
}

}  // namespace satellite::agent
