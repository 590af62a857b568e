// How one place of a text is compared with all forms. Forms with the same beginning are neighbours:
// a character that stands for one unit, however it is written, leaves a range of them. Where a form
// has ways of its own (quotes, line breaks, dumps), match_form() takes each of those that are left.
#include "sandbox/capture/form_search.hpp"

#include "protocol/vocabulary/secret.hpp"
#include "sandbox/capture/form_match.hpp"

#include <algorithm>
#include <tuple>

namespace satellite::sandbox {
namespace {

using Alphabet = SecretForm::Alphabet;

/// What finding a range among the neighbours costs beside a step within one form.
constexpr std::size_t work_of_range = 16;
/// So many are compared one by one at less cost, by words where they stand as they are.
constexpr std::uint32_t few_forms = 4;

unsigned char number_of(char unit) {
  return static_cast<unsigned char>(unit);
}

/// Forms with the same first units.
struct Range {
  std::uint32_t begin = 0, end = 0;
  bool empty() const { return begin == end; }
};

class PlaceSearch {
 public:
  PlaceSearch(const std::vector<SecretForm>& forms, std::string_view text, std::size_t start,
              TextEnd end)
      : forms_(forms), text_(text), start_(start), end_(end) {}

  void search(const FormGroup& group) {
    group_ = &group;
    nodes_.clear();
    nodes_.push_back({{group.by_first_unit.front(), group.by_first_unit.back()}, 0, start_});
    while (!nodes_.empty() && !is_over()) {
      const Node node = nodes_.back();
      nodes_.pop_back();
      follow(node);
    }
  }
  bool is_over() const { return result_.unfinished || result_.too_much; }
  const PlaceMatch& result() const { return result_; }

 private:
  /// `forms` have `unit` units in common, which stand before `at`.
  struct Node {
    Range forms;
    std::size_t unit = 0, at = 0;
  };

  bool escapes_with(EscapeSet family) const { return (group_->escaped & family) != 0; }
  void spend(std::size_t work) {
    result_.work += work;
    result_.too_much = result_.work > place_work_max;
  }

  void follow(Node node) {
    while (!is_over()) {
      compare_whole(node);
      if (node.forms.empty()) return;
      if (node.forms.end - node.forms.begin <= few_forms) return compare_each(node.forms);
      if (node.at == text_.size()) {
        result_.unfinished = end_ == TextEnd::open;
        return;
      }
      const char c = text_[node.at];
      const EscapeSet family = family_of(c) & group_->escaped;
      const bool is_space = family == escapes::plus;
      if (!is_space && !stands_for_itself(node, c)) {
        if (family == escapes::none || !follow_escape(node)) compare_by_first_unit(node);
        return;
      }
      const char unit = is_space ? ' ' : canonical_unit(group_->alphabet, c);
      node = {with_unit(node, unit), node.unit + 1, node.at + 1};
    }
  }

  /// Forms without a further unit, which stand first in the range, are compared as a whole.
  void compare_whole(Node& node) {
    while (!node.forms.empty() && forms_[node.forms.begin].units.size() == node.unit) {
      compare(node.forms.begin++);
    }
  }

  /// Whether the next unit of each form can only be this character.
  bool stands_for_itself(const Node& node, char c) const {
    if ((family_of(c) & group_->escaped) != 0) return false;
    switch (group_->alphabet) {
      case Alphabet::text:
        if (c == '\r') return false;
        if (c == '$') return node.unit == 0 || !escapes_with(escapes::single_quote);
        return c != '\\' || !escapes_with(escapes::single_quote);
      case Alphabet::base64:
      case Alphabet::base32:
        return c != '\r' && c != '\n';
      case Alphabet::hexadecimal:
        return node.unit == 0 || node.unit % 2 == 1 || starts_byte(node.at);
    }
    return false;
  }
  bool starts_byte(std::size_t at) const {
    if (text_[at] != '0') return is_hex_digit(text_[at]);
    return at + 1 < text_.size() && text_[at + 1] != 'x' && text_[at + 1] != 'X';
  }

  /// The forms whose next unit is `unit`; all forms of the node have a next one.
  Range with_unit(const Node& node, char unit) {
    spend(work_of_range);
    const unsigned char wanted = number_of(unit);
    if (node.unit == 0) {
      return {group_->by_first_unit[wanted], group_->by_first_unit[wanted + 1U]};
    }
    const auto place = [this](std::uint32_t index) { return forms_.begin() + index; };
    const auto begin = std::partition_point(
        place(node.forms.begin), place(node.forms.end),
        [&](const SecretForm& form) { return number_of(form.units[node.unit]) < wanted; });
    const auto end = std::partition_point(begin, place(node.forms.end), [&](const auto& form) {
      return number_of(form.units[node.unit]) == wanted;
    });
    return {static_cast<std::uint32_t>(begin - forms_.begin()),
            static_cast<std::uint32_t>(end - forms_.begin())};
  }

  /// False where the value of the escape does not decide by itself which forms may go on.
  bool follow_escape(const Node& node) {
    if (escapes_with(escapes::single_quote) && text_[node.at] == '\'') return false;
    if (escapes_with(escapes::double_quote) && text_[node.at] == '"') return false;
    const Escape escape = escape_at(text_.substr(node.at), end_);
    spend(1);
    if (escape.kind == Escape::Kind::unfinished) result_.unfinished = true;
    if (escape.kind == Escape::Kind::unfinished || escape.kind == Escape::Kind::none) return true;
    if (group_->alphabet != Alphabet::text || escape.kind != Escape::Kind::bytes) return false;
    const auto& readings = escape.readings;
    if (escape.reading_count == 2 && readings[0].bytes[0] == readings[1].bytes[0]) return false;
    for (std::size_t i = 0; i < escape.reading_count; ++i) {
      Node next = node;
      for (const char unit : readings[i].view()) {
        // A form that ends inside the escape does not match.
        while (!next.forms.empty() && forms_[next.forms.begin].units.size() == next.unit) {
          ++next.forms.begin;
        }
        next = {with_unit(next, unit), next.unit + 1, next.at};
      }
      next.at = node.at + escape.size;
      if (!next.forms.empty()) nodes_.push_back(next);
    }
    return true;
  }

  /// At the start of a form no character may be skipped: the one that stands here is its first
  /// unit.
  void compare_by_first_unit(const Node& node) {
    if (node.unit > 0) return compare_each(node.forms);
    std::string firsts = first_units();
    std::sort(firsts.begin(), firsts.end());
    firsts.erase(std::unique(firsts.begin(), firsts.end()), firsts.end());
    for (const char first : firsts) compare_each(with_unit(node, first));
  }

  std::string first_units() {
    const char c = text_[start_];
    std::string firsts(1, canonical_unit(group_->alphabet, c));
    if (group_->alphabet == Alphabet::text && c == '\r') firsts += '\n';
    if (c == '\'' || c == '"') return firsts;
    const Escape escape = escape_at(text_.substr(start_), end_);
    if (escape.kind == Escape::Kind::unfinished) result_.unfinished = true;
    for (std::size_t i = 0; i < escape.reading_count; ++i) {
      firsts += canonical_unit(group_->alphabet, escape.readings[i].bytes[0]);
    }
    return firsts;
  }

  void compare_each(Range range) {
    while (!range.empty() && !is_over()) {
      const FormMatch match = compare(range.begin);
      range.begin = next_that_differs(range, match);
    }
  }

  /// All forms that share the units by which this form was refused are refused with it.
  std::uint32_t next_that_differs(Range range, const FormMatch& match) {
    const std::string_view units = forms_[range.begin].units;
    const std::uint32_t next = range.begin + 1;
    if (match.kind != FormMatch::Kind::none || match.looked > units.size()) return next;
    const auto is_like_it = [start = units.substr(0, match.looked)](const SecretForm& form) {
      return std::string_view(form.units).substr(0, start.size()) == start;
    };
    if (next == range.end || !is_like_it(forms_[next])) return next;
    spend(work_of_range);
    const auto end =
        std::partition_point(forms_.begin() + next, forms_.begin() + range.end, is_like_it);
    return static_cast<std::uint32_t>(end - forms_.begin());
  }

  FormMatch compare(std::uint32_t index) {
    const FormMatch match = match_form(forms_[index], text_, start_, end_);
    spend(match.work);
    if (match.kind == FormMatch::Kind::unfinished) result_.unfinished = true;
    if (match.kind == FormMatch::Kind::found) result_.size = std::max(result_.size, match.size);
    return match;
  }

  const std::vector<SecretForm>& forms_;
  std::string_view text_;
  std::size_t start_;
  TextEnd end_;
  const FormGroup* group_ = nullptr;
  std::vector<Node> nodes_;
  PlaceMatch result_;
};

auto key_of(const SecretForm& form) {
  return std::tuple(form.alphabet, form.escaped, std::string_view(form.units));
}

}  // namespace

void sort_forms(std::vector<SecretForm>& forms) {
  std::sort(forms.begin(), forms.end(),
            [](const SecretForm& a, const SecretForm& b) { return key_of(a) < key_of(b); });
  // The pieces of a secret that repeats itself are the same ones.
  const auto unique_end =
      std::unique(forms.begin(), forms.end(),
                  [](const SecretForm& a, const SecretForm& b) { return key_of(a) == key_of(b); });
  std::for_each(unique_end, forms.end(), [](SecretForm& form) { wipe(form.units); });
  forms.erase(unique_end, forms.end());
}

std::vector<FormGroup> groups_of(const std::vector<SecretForm>& sorted_forms) {
  std::vector<FormGroup> groups;
  for (std::uint32_t index = 0; index < sorted_forms.size();) {
    FormGroup group{sorted_forms[index].alphabet, sorted_forms[index].escaped, {}};
    const auto is_member = [&group](const SecretForm& form) {
      return form.alphabet == group.alphabet && form.escaped == group.escaped;
    };
    for (unsigned unit = 0; unit < 256; ++unit) {
      group.by_first_unit[unit] = index;
      while (index < sorted_forms.size() && is_member(sorted_forms[index]) &&
             number_of(sorted_forms[index].units[0]) == unit) {
        ++index;
      }
    }
    group.by_first_unit[256] = index;
    groups.push_back(group);
  }
  return groups;
}

PlaceMatch match_forms(const std::vector<SecretForm>& forms, const std::vector<FormGroup>& groups,
                       std::string_view text, std::size_t start, TextEnd end) {
  PlaceSearch search(forms, text, start, end);
  for (const FormGroup& group : groups) {
    if (search.is_over()) break;
    search.search(group);
  }
  return search.result();
}

}  // namespace satellite::sandbox
