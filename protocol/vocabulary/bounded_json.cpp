#include "protocol/vocabulary/bounded_json.hpp"

#include <nlohmann/json.hpp>
#include <string>

// Depth and number of values are counted on the raw bytes first: a parser that is asked for ten
// million empty objects has already allocated them when it could say no.

namespace satellite {
namespace {

struct Shape {
  std::size_t depth_max = 0;
  std::size_t values = 1;
};

/// Counts without judging: unbalanced brackets are the parser's to reject.
Shape measure(std::string_view text) {
  Shape shape;
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
      case '"': in_string = true; break;
      case '[':
      case '{':
        ++shape.values;
        if (++depth > shape.depth_max) shape.depth_max = depth;
        break;
      case ']':
      case '}':
        if (depth > 0) --depth;
        break;
      case ',': ++shape.values; break;
      default: break;
    }
  }
  return shape;
}

Error limit(std::string_view what, std::size_t seen, std::size_t bound) {
  return Error{ErrorCode::limit_exceeded, "JSON text has " + std::to_string(seen) + " " +
                                              std::string(what) + ", the limit is " +
                                              std::to_string(bound)};
}

}  // namespace

Result<nlohmann::json> parse_bounded_json(std::string_view text, const JsonBounds& bounds) {
  if (text.size() > bounds.size_max.value) {
    return limit("bytes", text.size(), bounds.size_max.value);
  }
  const Shape shape = measure(text);
  if (shape.depth_max > bounds.depth_max) {
    return limit("levels of nesting", shape.depth_max, bounds.depth_max);
  }
  if (shape.values > bounds.values_max) return limit("values", shape.values, bounds.values_max);
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& problem) {
    // what() quotes the text, which may hold secrets: only the position goes on.
    return Error{ErrorCode::invalid_input,
                 "not valid JSON at byte " + std::to_string(problem.byte)};
  } catch (const nlohmann::json::exception&) {
    return Error{ErrorCode::invalid_input, "JSON holds a number out of range"};
  }
}

}  // namespace satellite
