// How one form is recognised in a text, whatever stands between its units. One way through it, no
// going back; form_search.cpp decides which forms are looked for at a place.
#include "sandbox/capture/form_match.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace satellite::sandbox {
namespace {

using Alphabet = SecretForm::Alphabet;

/// Quotes in a row that open, close and reopen a quoted word.
constexpr std::size_t quotes_max = 8;
/// A line break and the indentation behind it.
constexpr std::size_t wrap_size_max = 80;
/// In one line of a dump: what may stand between two bytes, the text column, an offset.
constexpr std::size_t separators_max = 4;
constexpr std::size_t column_size_max = 96;
constexpr std::size_t offset_size_min = 4, offset_size_max = 16;
/// What may follow the last byte in its line of a dump: more bytes and the text column.
constexpr std::size_t rest_of_line_max = 192;

bool is_in(char c, std::string_view set) {
  return set.find(c) != std::string_view::npos;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool wraps(Alphabet alphabet) {
  return alphabet == Alphabet::base64 || alphabet == Alphabet::base32;
}

/// Goes through text and units together.
class Matching {
 public:
  Matching(const SecretForm& form, std::string_view text, std::size_t start, TextEnd end)
      : form_(form), units_(form.units), text_(text), at_(start), start_(start), end_(end) {}

  FormMatch run() {
    take_plain_start();
    while (unit_ < units_.size()) {
      const Step step = next();
      ++work_;
      if (step == Step::fails) return ended(FormMatch::Kind::none);
      if (step == Step::waits) return waiting();
    }
    if (form_.alphabet == Alphabet::hexadecimal && !take_text_column()) return waiting();
    return ended(FormMatch::Kind::found);
  }

 private:
  enum class Step { goes_on, fails, waits };

  FormMatch ended(FormMatch::Kind kind) const {
    return {kind, kind == FormMatch::Kind::found ? at_ - start_ : 0, looked_, work_};
  }
  FormMatch waiting() const {
    return ended(end_ == TextEnd::final ? FormMatch::Kind::none : FormMatch::Kind::unfinished);
  }
  void look_at(std::size_t unit_count) { looked_ = std::max(looked_, unit_ + unit_count); }
  std::string_view rest() const { return text_.substr(at_); }

  /// A script that prints most of its secret again and again gets no further than a comparison of
  /// words.
  void take_plain_start() {
    const std::size_t size = std::min(form_.plain_size, text_.size() - at_);
    std::size_t same = 0;
    std::uint64_t unit_word = 0, text_word = 0;
    while (same + sizeof unit_word <= size) {
      std::memcpy(&unit_word, units_.data() + same, sizeof unit_word);
      std::memcpy(&text_word, text_.data() + at_ + same, sizeof text_word);
      if (unit_word != text_word) break;
      same += sizeof unit_word;
    }
    while (same < size && units_[same] == text_[at_ + same]) ++same;
    look_at(std::min(same + 1, form_.plain_size));
    work_ += 4 + same / sizeof unit_word;
    // Half a byte of hexadecimal may be the start of a prefix.
    if (form_.alphabet == Alphabet::hexadecimal) same -= same % 2;
    at_ += same;
    unit_ = same;
  }

  bool at_end() const { return at_ == text_.size(); }
  bool escapes_with(EscapeSet family) const { return (form_.escaped & family) != 0; }

  Step accept(std::size_t text_size, std::size_t unit_count) {
    at_ += text_size;
    unit_ += unit_count;
    skipped_ = 0;
    return Step::goes_on;
  }
  /// Skips characters that stand for no unit: a bounded number, and never before the first unit.
  Step skip(std::size_t text_size, std::size_t skipped_max) {
    skipped_ += text_size;
    if (unit_ == 0 || skipped_ > skipped_max) return Step::fails;
    at_ += text_size;
    return Step::goes_on;
  }

  Step next() {
    if (form_.alphabet == Alphabet::hexadecimal && unit_ % 2 == 0 && unit_ > 0) {
      const Step gap = take_gap();
      if (gap != Step::goes_on) return gap;
    }
    look_at(1);
    if (at_end()) return Step::waits;
    const char c = text_[at_];
    const EscapeSet family = family_of(c);
    if ((family & form_.escaped) != 0) return take_escape(family);
    if (c == '\\' && is_in_dollar_quotes()) return take_escape(family);
    if (canonical_unit(form_.alphabet, c) == units_[unit_]) return accept(1, 1);
    return take_other(c);
  }

  /// Between `$'` and `'` a backslash escapes, whatever it is outside. A secret may begin there.
  bool is_in_dollar_quotes() {
    const bool may_begin_inside =
        unit_ == 0 && units_[0] != '\\' && escapes_with(escapes::single_quote);
    in_dollar_quotes_ = in_dollar_quotes_ || may_begin_inside;
    return in_dollar_quotes_;
  }

  Step take_other(char c) {
    if (wraps(form_.alphabet)) {
      if (c == '\n' || c == '\r') after_break_ = true;
      const bool is_indent = after_break_ && skipped_ > 0 && (c == ' ' || c == '\t');
      if (c == '\n' || c == '\r' || is_indent) return skip(1, wrap_size_max);
    }
    if (form_.alphabet != Alphabet::text) return Step::fails;
    if (c == '\r' && units_[unit_] == '\n') {
      // A line break of the secret after a terminal or a converter saw it.
      if (at_ + 1 == text_.size()) return Step::waits;
      return text_[at_ + 1] == '\n' ? accept(2, 1) : Step::fails;
    }
    if (c == '$' && escapes_with(escapes::single_quote)) {
      if (at_ + 1 == text_.size()) return unit_ > 0 ? Step::waits : Step::fails;
      if (text_[at_ + 1] == '\'') {
        in_dollar_quotes_ = true;
        return skip(2, quotes_max);
      }
    }
    return Step::fails;
  }

  Step take_escape(EscapeSet family) {
    if (family == escapes::plus) return units_[unit_] == ' ' ? accept(1, 1) : Step::fails;
    if (family == escapes::single_quote) return take_single_quote();
    if (family == escapes::double_quote) return take_double_quote();
    const Escape escape = escape_at(rest(), end_);
    if (escape.kind == Escape::Kind::unfinished) return Step::waits;
    if (escape.kind == Escape::Kind::none) return Step::fails;
    const char meaning = escape.reading_count > 0 ? escape.readings[0].bytes[0] : '\n';
    if (wraps(form_.alphabet) && (meaning == '\n' || meaning == '\r')) {
      after_break_ = true;
      return skip(escape.size, wrap_size_max);
    }
    std::size_t fitting = 0;
    for (std::size_t i = escape.reading_count; i > 0; --i) {
      const std::string_view bytes = escape.readings[i - 1].view();
      if (!stands_next(bytes)) continue;
      if (fitting > 0) return take_one_of_two(escape);
      fitting = bytes.size();
    }
    if (fitting > 0) return accept(escape.size, fitting);
    return escape.kind == Escape::Kind::nothing ? skip(escape.size, wrap_size_max) : Step::fails;
  }

  /// `\xc3` where U+00C3 is to come: its first byte if its second one follows, else all of it.
  Step take_one_of_two(const Escape& escape) {
    const Escape next = escape_at(rest().substr(escape.size), end_);
    if (next.kind == Escape::Kind::unfinished) return Step::waits;
    look_at(2);
    const std::string_view second = units_.substr(unit_ + 1, 1);
    for (std::size_t i = 0; i < next.reading_count; ++i) {
      if (next.readings[i].view() == second) return accept(escape.size, 1);
    }
    return accept(escape.size, 2);
  }

  bool stands_next(std::string_view bytes) {
    look_at(bytes.size());
    const std::string_view units = units_.substr(unit_, bytes.size());
    return units.size() == bytes.size() &&
           std::equal(bytes.begin(), bytes.end(), units.begin(), [this](char c, char unit) {
             return canonical_unit(form_.alphabet, c) == unit;
           });
  }

  /// Inside single quotes a shell has no escapes: a quote is written by leaving them.
  Step take_single_quote() {
    in_dollar_quotes_ = false;
    if (units_[unit_] != '\'') return skip(1, quotes_max);
    constexpr std::string_view left_for_one = "'\\''";
    const std::string_view rest = this->rest();
    if (rest.starts_with(left_for_one)) return accept(left_for_one.size(), 1);
    if (rest.starts_with("''")) return accept(2, 1);
    if (rest.starts_with("'\"")) return take_quotes_in_double_quotes();
    const bool is_start = left_for_one.starts_with(rest) || rest == "'";
    return is_start ? Step::waits : Step::fails;
  }

  /// `'"'''"'`: as many quotes as stand between the double ones.
  Step take_quotes_in_double_quotes() {
    const std::string_view inner = rest().substr(2);
    const std::size_t count = std::min(inner.find_first_not_of('\''), inner.size());
    const std::string_view behind = inner.substr(count);
    const std::string_view units = units_.substr(unit_, count);
    look_at(count);
    if (count > units.size() || units.find_first_not_of('\'') != std::string_view::npos) {
      return Step::fails;
    }
    if (behind.size() < 2 && std::string_view("\"'").starts_with(behind)) return Step::waits;
    if (count == 0 || !behind.starts_with("\"'")) return Step::fails;
    return accept(count + 4, count);
  }

  Step take_double_quote() {
    if (units_[unit_] != '"') return skip(1, quotes_max);
    if (rest().size() < 2) return Step::waits;
    return rest()[1] == '"' ? accept(2, 1) : Step::fails;
  }

  /// What stands between two bytes of hexadecimal: nothing, a separator, or the end of a line.
  Step take_gap() {
    std::size_t next = at_;
    const std::size_t separators_end = at_ + separators_max;
    while (next < text_.size() && next < separators_end && is_in(text_[next], " \t:-,._")) ++next;
    if (next == text_.size()) return Step::waits;
    if (is_hex_digit(text_[next])) {
      const Step byte = starts_byte(next, next - at_);
      if (byte == Step::waits) return byte;
      if (byte == Step::goes_on) {
        at_ = next;
        return take_prefix();
      }
    }
    if (next == at_ && !is_in(text_[at_], "\r\n|")) return Step::fails;
    return take_line_end(next);
  }

  /// Whether the next byte of a dump begins here. Behind two blanks the text column may begin,
  /// whose characters may be digits: there a byte must stand alone and be the one that is looked
  /// for.
  Step starts_byte(std::size_t at, std::size_t separators) {
    if (separators < 2) return Step::goes_on;
    if (at + 2 >= text_.size() && end_ == TextEnd::open) return Step::waits;
    if (at + 2 >= text_.size()) return Step::goes_on;
    const bool has_prefix = text_[at] == '0' && is_in(text_[at + 1], "xX");
    const bool alone = is_in(text_[at + 2], " \t:-,._\r\n|");
    const bool is_wanted = alone && stands_next(text_.substr(at, 2));
    return has_prefix || is_wanted ? Step::goes_on : Step::fails;
  }

  Step take_prefix() {
    if (text_[at_] != '0') return Step::goes_on;
    if (at_ + 1 == text_.size()) return Step::waits;
    if (text_[at_ + 1] == 'x' || text_[at_ + 1] == 'X') at_ += 2;
    return Step::goes_on;
  }

  Step take_line_end(std::size_t from) {
    const std::string_view column = text_.substr(from, column_size_max);
    const std::size_t line_end = column.find('\n');
    if (line_end == std::string_view::npos) {
      return column.size() < column_size_max ? Step::waits : Step::fails;
    }
    at_ = from + line_end + 1;
    first_unit_of_line_ = unit_;
    std::size_t indent = 0;
    while (!at_end() && indent < wrap_size_max && is_in(text_[at_], " \t")) ++at_, ++indent;
    if (at_end()) return Step::waits;
    const Step offset = take_offset();
    return offset == Step::goes_on ? take_prefix_if_any() : offset;
  }

  Step take_prefix_if_any() {
    if (at_end()) return Step::waits;
    return take_prefix();
  }

  /// `00000010: ` and its like. Digits that are the very bytes which are looked for are no offset.
  Step take_offset() {
    const std::string_view line = rest();
    const std::size_t prefix = line.starts_with("0x") ? 2 : 0;
    std::size_t end = prefix;
    while (end < line.size() && end < prefix + offset_size_max + 1 && is_hex_digit(line[end])) {
      ++end;
    }
    if (end == line.size()) return end_ == TextEnd::open ? Step::waits : Step::goes_on;
    const std::size_t digits = end - prefix;
    if (digits < offset_size_min || digits > offset_size_max || !is_in(line[end], ": \t")) {
      return Step::goes_on;
    }
    look_at(end);
    if (line[end] != ':' && stands_next(line.substr(0, std::min(end, units_.size() - unit_)))) {
      return Step::goes_on;
    }
    std::size_t next = end + 1;
    if (line[end] == ':' && next < line.size() && !is_in(line[next], " \t")) return Step::goes_on;
    while (next < line.size() && next < end + 1 + separators_max && is_in(line[next], " \t")) {
      ++next;
    }
    if (next == line.size()) return Step::waits;
    if (is_hex_digit(line[next])) at_ += next;
    return Step::goes_on;
  }

  /// The last line of a dump repeats its bytes as text; the match goes on to the end of that. False
  /// where the line has not come to its end yet.
  bool take_text_column() {
    const std::string_view window = rest().substr(0, rest_of_line_max);
    const std::size_t line_end = window.find('\n');
    if (line_end == std::string_view::npos && window.size() < rest_of_line_max &&
        end_ == TextEnd::open) {
      return false;
    }
    const std::string_view line = window.substr(0, line_end);
    const std::size_t column = std::min(line.find("  "), line.find_first_of("|>"));
    if (column == std::string_view::npos) return true;
    std::string shown;
    for (std::size_t unit = first_unit_of_line_; unit + 1 < units_.size(); unit += 2) {
      const auto value = [this](std::size_t index) {
        const char digit = units_[index];
        return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
      };
      const unsigned byte = value(unit) << 4U | value(unit + 1);
      shown += byte >= 0x20 && byte < 0x7F ? static_cast<char>(byte) : '.';
    }
    const std::size_t found = line.find(shown, column + 1);
    if (found != std::string_view::npos) at_ += found + shown.size();
    std::fill(shown.begin(), shown.end(), '\0');
    return true;
  }

  const SecretForm& form_;
  std::string_view units_, text_;
  std::size_t at_, start_, unit_ = 0, skipped_ = 0, first_unit_of_line_ = 0;
  std::size_t looked_ = 0, work_ = 0;
  bool after_break_ = false, in_dollar_quotes_ = false;
  TextEnd end_;
};

void add_pair(std::vector<FirstPair>& pairs, char first, std::string_view seconds) {
  for (const char second : seconds) pairs.push_back({first, second});
}

/// Every way to write one unit as it is.
std::string variants_of(Alphabet alphabet, char unit) {
  std::string variants(1, unit);
  if (alphabet == Alphabet::base64 && unit == '+') variants += '-';
  if (alphabet == Alphabet::base64 && unit == '/') variants += '_';
  const bool has_case = alphabet == Alphabet::base32 || alphabet == Alphabet::hexadecimal;
  if (has_case && unit >= 'a' && unit <= 'z') variants += static_cast<char>(unit - 'a' + 'A');
  return variants;
}

/// What may stand where unit `index` is to come, behind one that stands as it is.
std::string followers_of(const SecretForm& form, std::size_t index) {
  std::string followers = variants_of(form.alphabet, form.units[index]);
  for (unsigned bit = 0; bit < 7; ++bit) {
    const auto family = static_cast<EscapeSet>(1U << bit);
    if ((form.escaped & family) != 0) followers += introducer_of(family);
  }
  if ((form.escaped & escapes::single_quote) != 0) followers += '$';
  if (wraps(form.alphabet)) followers += "\r\n";
  if (form.units[index] == '\n') followers += '\r';
  // Between two bytes: separators, the end of a line, `0x`.
  if (form.alphabet == Alphabet::hexadecimal && index % 2 == 0) followers += " \t:-,._\r\n|0";
  return followers;
}

constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

std::string first_digits_of(char unit) {
  constexpr std::string_view lower_digits = "0123456789abcdef", upper_digits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(unit);
  // From 0x80 on the escape may name the code point instead of its first byte.
  if (byte >= 0x80) return "89abcdefABCDEF";
  return {lower_digits[byte >> 4U], upper_digits[byte >> 4U]};
}

void add_escaped_pairs(const SecretForm& form, std::vector<FirstPair>& pairs) {
  const char unit = form.units[0];
  const auto escapes_with = [&form](EscapeSet family) { return (form.escaped & family) != 0; };
  if (escapes_with(escapes::backslash)) {
    add_pair(pairs, '\\', variants_of(form.alphabet, unit));
  }
  if (escapes_with(escapes::backslash | escapes::single_quote)) {
    add_pair(pairs, '\\', "xuU01234567abtnvfreE");
  }
  if (escapes_with(escapes::percent)) add_pair(pairs, '%', first_digits_of(unit) + "u");
  if (escapes_with(escapes::ampersand)) {
    add_pair(pairs, '&', "#");
    if (!is_alphanumeric(unit)) add_pair(pairs, '&', letters);
  }
  if (escapes_with(escapes::equals)) add_pair(pairs, '=', first_digits_of(unit));
  if (escapes_with(escapes::single_quote) && unit == '\'') add_pair(pairs, '\'', "\\\"'");
  if (escapes_with(escapes::double_quote) && unit == '"') add_pair(pairs, '"', "\"");
  if (escapes_with(escapes::plus) && unit == ' ') add_pair(pairs, '+', followers_of(form, 1));
}

}  // namespace

char canonical_unit(Alphabet alphabet, char c) {
  switch (alphabet) {
    case Alphabet::text:
      return c;
    case Alphabet::base64:
      return c == '-' ? '+' : c == '_' ? '/' : c;
    case Alphabet::base32:
    case Alphabet::hexadecimal:
      return lower(c);
  }
  return c;
}

FormMatch match_form(const SecretForm& form, std::string_view text, std::size_t start,
                     TextEnd end) {
  return Matching(form, text, start, end).run();
}

std::vector<FirstPair> first_pairs_of(const SecretForm& form) {
  std::vector<FirstPair> pairs;
  const std::string seconds = followers_of(form, 1);
  for (const char first : variants_of(form.alphabet, form.units[0])) {
    if ((family_of(first) & form.escaped) == 0) add_pair(pairs, first, seconds);
  }
  if (form.units[0] == '\n' && form.alphabet == Alphabet::text) add_pair(pairs, '\r', "\n");
  // The letters and digits of an encoding are never escaped themselves.
  if (form.alphabet == Alphabet::text || !is_alphanumeric(form.units[0])) {
    add_escaped_pairs(form, pairs);
  }
  return pairs;
}

std::vector<FirstThree> first_threes_of(const SecretForm& form) {
  std::vector<FirstThree> threes;
  const std::string thirds = followers_of(form, 2);
  for (const char first : variants_of(form.alphabet, form.units[0])) {
    for (const char second : variants_of(form.alphabet, form.units[1])) {
      for (const char third : thirds) threes.push_back({first, second, third});
    }
  }
  return threes;
}

}  // namespace satellite::sandbox
