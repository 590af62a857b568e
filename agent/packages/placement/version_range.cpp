#include "agent/packages/placement/version_range.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

namespace satellite::agent {
namespace {

constexpr std::size_t range_text_max = 2'048;

bool is_range_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view trimmed_range(std::string_view text) {
  while (!text.empty() && is_range_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_range_space(text.back())) text.remove_suffix(1);
  return text;
}

/// A version of which the last numbers may be missing.
struct PartialVersion {
  std::size_t known = 0;
  SemanticVersion version;
  bool names_after_any = false;  ///< `1.*.3`
};

bool is_any(std::string_view number) {
  return number == "x" || number == "X" || number == "*";
}

std::optional<PartialVersion> parse_partial(std::string_view text) {
  while (!text.empty() && (text.front() == 'v' || text.front() == '=' || text.front() == ' ')) {
    text.remove_prefix(1);
  }
  PartialVersion partial;
  text = text.substr(0, std::min(text.find('+'), text.size()));
  const std::size_t hyphen = std::min(text.find('-'), text.size());
  std::string_view numbers = text.substr(0, hyphen);
  bool is_known = true;
  std::size_t seen = 0;
  while (true) {
    const std::size_t end = std::min(numbers.find('.'), numbers.size());
    const std::string_view word = numbers.substr(0, end);
    if (seen == 3) return std::nullopt;
    if (is_any(word)) {
      is_known = false;
    } else {
      const auto number = parse_version_number(word);
      if (!number) return std::nullopt;
      if (is_known) {
        partial.version.numbers.at(seen) = *number;
        partial.known = seen + 1;
      } else {
        partial.names_after_any = true;
      }
    }
    ++seen;
    if (end == numbers.size()) break;
    numbers.remove_prefix(end + 1);
  }
  if (hyphen != text.size()) {
    if (seen < 3) return std::nullopt;
    auto before = parse_before(text.substr(hyphen + 1));
    if (!before) return std::nullopt;
    if (partial.known == 3) partial.version.before = *std::move(before);
  }
  return partial;
}

/// The first version that differs in the number at `index`.
SemanticVersion next_after(const SemanticVersion& version, std::size_t index) {
  SemanticVersion next;
  std::copy_n(version.numbers.begin(), index + 1, next.numbers.begin());
  ++next.numbers.at(index);
  return next;
}

/// The least of all versions with these numbers.
SemanticVersion least_of(SemanticVersion version) {
  version.before = {SemanticVersion::Part{std::uint64_t{0}}};
  return version;
}

}  // namespace

/// Reads one alternative.
class VersionRange::Reader {
 public:
  bool read(std::string_view text) {
    text = trimmed_range(text);
    if (const std::size_t hyphen = hyphen_in(text); hyphen != std::string_view::npos) {
      return read_span(text.substr(0, hyphen), text.substr(hyphen + 3));
    }
    while (!text.empty()) {
      const std::string_view word = next_word(text);
      if (!read_comparator(word)) return false;
    }
    return true;
  }
  Alternative take() { return std::move(bounds_); }

 private:
  /// The place of ` - ` between two versions.
  static std::size_t hyphen_in(std::string_view text) {
    const std::size_t at = text.find(" - ");
    if (at == std::string_view::npos) return at;
    const auto is_one_word = [](std::string_view part) {
      part = trimmed_range(part);
      return !part.empty() && std::none_of(part.begin(), part.end(), is_range_space);
    };
    const bool spans = is_one_word(text.substr(0, at)) && is_one_word(text.substr(at + 3));
    return spans ? at : std::string_view::npos;
  }

  /// A comparator: its operator may stand apart from its version.
  static std::string_view next_word(std::string_view& text) {
    std::size_t end = 0;
    while (end < text.size() && std::string_view("<>=^~").find(text[end]) != std::string_view::npos)
      ++end;
    while (end < text.size() && is_range_space(text[end])) ++end;
    while (end < text.size() && !is_range_space(text[end])) ++end;
    const std::string_view word = text.substr(0, end);
    text = trimmed_range(text.substr(end));
    return word;
  }

  void add(Comparison comparison, SemanticVersion version) {
    bounds_.push_back({comparison, std::move(version), false});
  }
  void below(SemanticVersion version) {
    bounds_.push_back({Comparison::less, least_of(std::move(version)), true});
  }

  bool read_span(std::string_view from, std::string_view to) {
    const auto low = parse_partial(trimmed_range(from));
    const auto high = parse_partial(trimmed_range(to));
    if (!low || !high) return false;
    if (low->known > 0) add(Comparison::greater_or_equal, low->version);
    if (high->known == 3) {
      add(Comparison::less_or_equal, high->version);
    } else if (high->known > 0) {
      below(next_after(high->version, high->known - 1));
    }
    return true;
  }

  bool read_comparator(std::string_view text) {
    std::size_t end = 0;
    while (end < text.size() && std::string_view("<>=^~").find(text[end]) != std::string_view::npos)
      ++end;
    const std::string_view sign = text.substr(0, end);
    const std::string_view rest = trimmed_range(text.substr(end));
    const auto partial = parse_partial(rest);
    if (!partial) return false;
    if (sign == "^") return read_caret(*partial);
    if (sign == "~" || sign == "~>") return read_tilde(*partial);
    if (partial->names_after_any) return false;
    return partial->known == 3 ? read_exact(sign, *partial) : read_partial(sign, *partial);
  }

  /// Nothing left of the first number that is not zero may change.
  bool read_caret(const PartialVersion& partial) {
    if (partial.known == 0) return true;
    const auto& numbers = partial.version.numbers;
    const std::size_t fixed = numbers[0] > 0 || partial.known < 2   ? 0
                              : numbers[1] > 0 || partial.known < 3 ? 1
                                                                    : 2;
    add(Comparison::greater_or_equal, partial.version);
    below(next_after(partial.version, fixed));
    return true;
  }

  bool read_tilde(const PartialVersion& partial) {
    if (partial.known == 0) return true;
    add(Comparison::greater_or_equal, partial.version);
    below(next_after(partial.version, partial.known > 1 ? 1 : 0));
    return true;
  }

  bool read_exact(std::string_view sign, const PartialVersion& partial) {
    constexpr std::pair<std::string_view, Comparison> signs[] = {
        {"", Comparison::equal},    {"=", Comparison::equal},
        {"<", Comparison::less},    {"<=", Comparison::less_or_equal},
        {">", Comparison::greater}, {">=", Comparison::greater_or_equal}};
    for (const auto& [name, comparison] : signs) {
      if (name != sign) continue;
      add(comparison, partial.version);
      return true;
    }
    return false;
  }

  bool read_partial(std::string_view sign, const PartialVersion& partial) {
    const std::size_t last = partial.known == 0 ? 0 : partial.known - 1;
    if (sign == "<" || sign == ">") {
      if (partial.known == 0) {
        below({});  // no version is beyond all versions
      } else if (sign == "<") {
        below(partial.version);
      } else {
        add(Comparison::greater_or_equal, next_after(partial.version, last));
      }
      return true;
    }
    if (sign != "" && sign != "=" && sign != ">=" && sign != "<=") return false;
    if (partial.known == 0) return true;
    if (sign != "<=") add(Comparison::greater_or_equal, partial.version);
    if (sign != ">=") below(next_after(partial.version, last));
    return true;
  }

  Alternative bounds_;
};

std::optional<VersionRange> VersionRange::parse(std::string_view text) {
  if (text.size() > range_text_max) return std::nullopt;
  VersionRange range;
  while (true) {
    const std::size_t end = std::min(text.find("||"), text.size());
    Reader reader;
    if (!reader.read(text.substr(0, end))) return std::nullopt;
    range.alternatives_.push_back(reader.take());
    if (end == text.size()) return range;
    text.remove_prefix(end + 2);
  }
}

bool VersionRange::holds(const Bound& bound, const SemanticVersion& version) {
  const int order = compare(version, bound.version);
  switch (bound.comparison) {
    case Comparison::less:
      return order < 0;
    case Comparison::less_or_equal:
      return order <= 0;
    case Comparison::equal:
      return order == 0;
    case Comparison::greater_or_equal:
      return order >= 0;
    case Comparison::greater:
      return order > 0;
  }
  return false;
}

bool VersionRange::accepts(const SemanticVersion& version) const {
  return std::any_of(
      alternatives_.begin(), alternatives_.end(), [&version](const Alternative& bounds) {
        const bool fits = std::all_of(bounds.begin(), bounds.end(), [&version](const Bound& bound) {
          return holds(bound, version);
        });
        if (!fits || version.before.empty()) return fits;
        return std::any_of(bounds.begin(), bounds.end(), [&version](const Bound& bound) {
          return !bound.is_implied && !bound.version.before.empty() &&
                 bound.version.numbers == version.numbers;
        });
      });
}

}  // namespace satellite::agent
