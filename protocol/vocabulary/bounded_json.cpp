#include "protocol/vocabulary/bounded_json.hpp"

#include "protocol/vocabulary/json_grammar.hpp"
#include "protocol/vocabulary/printable.hpp"
#include "protocol/vocabulary/unique_names.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

// Depth and number of values are counted on the raw bytes first: a parser that is asked for ten
// million empty objects has already allocated them when it could say no. An object with two members
// of one name is refused: parsers differ in which of them counts, so that whoever looked at the
// text with another one has seen another document.

namespace satellite {
namespace {

/// Counts without judging: unbalanced brackets are the parser's to reject.
JsonShape measure(std::string_view text) {
  JsonShape shape;
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    switch (c) {
      case '"':
        in_string = true;
        break;
      case '[':
      case '{':
        ++shape.values;
        if (++depth > shape.depth_max) shape.depth_max = depth;
        break;
      case ']':
      case '}':
        if (depth > 0) --depth;
        break;
      case ',':
        ++shape.values;
        break;
      default:
        break;
    }
  }
  return shape;
}

Error limit(std::string_view what, std::size_t seen, std::size_t bound) {
  return Error{ErrorCode::limit_exceeded, "JSON text has " + std::to_string(seen) + " " +
                                              std::string(what) + ", the limit is " +
                                              std::to_string(bound)};
}

Error broken_at(std::size_t position) {
  // The parser's own words quote the text, which may hold secrets: only the position goes on.
  return Error{ErrorCode::invalid_input, "not valid JSON at byte " + std::to_string(position)};
}

Result<void> check_bounds(std::string_view text, const JsonBounds& bounds) {
  if (text.size() > bounds.size_max.value) {
    return limit("bytes", text.size(), bounds.size_max.value);
  }
  const JsonShape shape = measure(text);
  if (shape.depth_max > bounds.depth_max) {
    return limit("levels of nesting", shape.depth_max, bounds.depth_max);
  }
  if (shape.values > bounds.values_max) return limit("values", shape.values, bounds.values_max);
  // The parser takes a zero byte for the end of its input and would not look at what follows.
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos) return broken_at(zero);
  return {};
}

Error repeated(std::string_view name) {
  return Error{ErrorCode::invalid_input,
               "an object has two members named \"" + printable(name) + "\"; each may stand once"};
}

/// Listens to a parse and keeps the names of open objects and what is wrong.
class Judge final : public nlohmann::json_sax<nlohmann::json> {
 public:
  const std::optional<Error>& error() const { return error_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    first_name_.push_back(names_.size());
    return true;
  }
  bool key(string_t& name) override {
    names_.push_back(name);
    return true;
  }
  bool end_object() override {
    const std::size_t first = first_name_.back();
    first_name_.pop_back();
    std::vector<std::string_view> own(names_.begin() + static_cast<std::ptrdiff_t>(first),
                                      names_.end());
    if (const auto name = repeated_name(own)) error_ = repeated(*name);
    names_.resize(first);
    return !error_;
  }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    error_ = broken_at(position);
    return false;
  }

 private:
  std::vector<std::string> names_;
  std::vector<std::size_t> first_name_;
  std::optional<Error> error_;
};

}  // namespace

Result<nlohmann::json> parse_bounded_json(std::string_view text, const JsonBounds& bounds) {
  // Judged first: a value has forgotten which of its names stood there twice.
  const Result<void> judged = check_bounded_json(text, bounds);
  if (!judged) return judged.error();
  auto value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded()) return broken_at(0);
  return value;
}

Result<void> check_bounded_json(std::string_view text, const JsonBounds& bounds) {
  // Nearly every frame passes here; the others are judged in the words of the parser.
  if (text.size() <= bounds.size_max.value) {
    const auto shape = quick_json_shape(text);
    if (shape && shape->depth_max <= bounds.depth_max && shape->values <= bounds.values_max) {
      return {};
    }
  }
  const Result<void> bounded = check_bounds(text, bounds);
  if (!bounded) return bounded.error();
  Judge judge;
  const bool whole = nlohmann::json::sax_parse(text, &judge);
  if (judge.error()) return *judge.error();
  if (!whole) return broken_at(0);
  return {};
}

}  // namespace satellite
