#include "protocol/vocabulary/json_grammar.hpp"

#include "protocol/vocabulary/unique_names.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

// A pointer walks the text; every look ahead is guarded by its end. Where it cannot tell it gives
// up, which costs the caller a parser and nothing else.

namespace satellite {
namespace {

constexpr unsigned levels_max = 64;
// Names of all open objects together: past this the caller's bound on values is asked first.
constexpr std::size_t names_max = 1U << 16U;
// No number of so few characters without an exponent is out of a double's range.
constexpr std::ptrdiff_t number_size_max = 300;

/// What stands in a string as it is: ASCII but control characters, quote and backslash.
constexpr std::array<bool, 256> plain_characters() {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}
constexpr std::array<bool, 256> plain = plain_characters();

class Walk {
 public:
  explicit Walk(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  std::optional<JsonShape> shape() {
    // After a value comes the end, or what its container allows next.
    if (!skip_value()) return std::nullopt;
    while (depth_ > 0) {
      if (!skip_next()) return std::nullopt;
    }
    skip_space();
    if (at_ != end_) return std::nullopt;
    return shape_;
  }

 private:
  bool sees(char c) const { return at_ != end_ && *at_ == c; }
  bool skip(char c) {
    if (!sees(c)) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool in_object() const { return ((objects_ >> (depth_ - 1)) & 1U) != 0; }

  /// A scalar, an empty container, or containers' openings and the first value in them.
  bool skip_value() {
    while (true) {
      skip_space();
      if (at_ == end_) return false;
      const char first = *at_;
      if (first == '"') return skip_string();
      if (first != '{' && first != '[') return skip_scalar(first);
      if (!open(first)) return false;
      skip_space();
      if (skip(first == '{' ? '}' : ']')) {
        --depth_;
        return true;
      }
      if (first == '{') {
        first_name_[depth_ - 1] = names_.size();
        if (!skip_name()) return false;
      }
    }
  }

  /// A comma and the next value, or the end of the container.
  bool skip_next() {
    skip_space();
    if (skip(',')) {
      ++shape_.values;
      if (in_object() && !skip_name()) return false;
      return skip_value();
    }
    if (!skip(in_object() ? '}' : ']')) return false;
    --depth_;
    return ((objects_ >> depth_) & 1U) == 0 || close_names(first_name_[depth_]);
  }

  /// An object is over: its names go, and none of them may have stood there twice.
  bool close_names(std::size_t first) {
    const bool unique = !repeated_name(std::span(names_).subspan(first));
    names_.resize(first);
    return unique;
  }

  bool open(char bracket) {
    if (depth_ == levels_max) return false;
    ++at_;
    ++shape_.values;
    const std::uint64_t bit = std::uint64_t{1} << depth_;
    objects_ = bracket == '{' ? objects_ | bit : objects_ & ~bit;
    if (++depth_ > shape_.depth_max) shape_.depth_max = depth_;
    return true;
  }

  /// With an escape in it a name is left to the parser: `"\u0061"` names `a`, too.
  bool skip_name() {
    skip_space();
    if (!sees('"') || names_.size() == names_max) return false;
    const char* const begin = at_ + 1;
    if (!skip_string()) return false;
    const std::string_view name(begin, static_cast<std::size_t>(at_ - 1 - begin));
    if (name.find('\\') != std::string_view::npos) return false;
    names_.push_back(name);
    skip_space();
    return skip(':');
  }

  bool skip_string() {
    ++at_;
    while (at_ != end_) {
      const auto c = static_cast<unsigned char>(*at_);
      if (plain[c]) {
        ++at_;
      } else if (c == '"') {
        ++at_;
        return true;
      } else if (c == '\\') {
        if (!skip_escape()) return false;
      } else if (c < 0x80 || !skip_code_point(c)) {
        return false;
      }
    }
    return false;
  }

  bool skip_escape() {
    ++at_;
    if (at_ == end_) return false;
    const char kind = *at_++;
    if (kind != 'u') return std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos;
    const int unit = skip_four_digits();
    if (unit < 0xD800 || unit > 0xDFFF) return unit >= 0;
    // One half of a pair, whose other half must follow.
    if (unit > 0xDBFF || !skip('\\') || !skip('u')) return false;
    const int low = skip_four_digits();
    return low >= 0xDC00 && low <= 0xDFFF;
  }

  int skip_four_digits() {
    if (end_ - at_ < 4) return -1;
    int value = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = *at_++;
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return -1;
      value = value * 16 + digit;
    }
    return value;
  }

  /// A code point of two to four bytes, in its shortest form and no half of a pair.
  bool skip_code_point(unsigned char lead) {
    if (lead < 0xC2 || lead > 0xF4) return false;
    const std::ptrdiff_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (end_ - at_ < size) return false;
    const int second = static_cast<unsigned char>(at_[1]);
    const int lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const int highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (second < lowest || second > highest) return false;
    for (std::ptrdiff_t i = 2; i < size; ++i) {
      if ((static_cast<unsigned char>(at_[i]) & 0xC0U) != 0x80U) return false;
    }
    at_ += size;
    return true;
  }

  bool skip_word(std::string_view word) {
    const std::string_view rest(at_, static_cast<std::size_t>(end_ - at_));
    if (!rest.starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  bool skip_digits() {
    const char* const begin = at_;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') ++at_;
    return at_ != begin;
  }

  bool skip_scalar(char first) {
    if (first == 't') return skip_word("true");
    if (first == 'f') return skip_word("false");
    if (first == 'n') return skip_word("null");
    const char* const begin = at_;
    skip('-');
    if (!skip('0') && !skip_digits()) return false;
    if (skip('.') && !skip_digits()) return false;
    return !sees('e') && !sees('E') && at_ - begin < number_size_max;
  }

  const char* at_;
  const char* end_;
  unsigned depth_ = 0;
  std::uint64_t objects_ = 0;            ///< one bit per open container
  std::vector<std::string_view> names_;  ///< of the objects that are open, outermost first
  std::array<std::size_t, levels_max> first_name_{};  ///< of each open object, in names_
  JsonShape shape_;
};

}  // namespace

std::optional<JsonShape> quick_json_shape(std::string_view text) {
  return Walk(text).shape();
}

}  // namespace satellite
