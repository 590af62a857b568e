#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace satellite {

/// Bounds that hold before the first JSON value is allocated.
struct JsonBounds {
  ByteCount size_max;          ///< of the text
  std::size_t depth_max = 0;   ///< nested arrays and objects
  std::size_t values_max = 0;  ///< all values of the text together
};

/// Text from outside -> a JSON value, or why not.
///
/// Shape:  one pass over the bytes counts depth and values; only then the text is parsed.
/// Errors: limit_exceeded (size, depth, values), invalid_input (not JSON, not UTF-8; position
///         named, the text itself never, since it may hold secrets; an object with two members of
///         one name, which is named).
Result<nlohmann::json> parse_bounded_json(std::string_view text, const JsonBounds& bounds);

/// The same judgement without building the value: for text that is carried on as text, or read in
/// slices. Costs memory for names only.
Result<void> check_bounded_json(std::string_view text, const JsonBounds& bounds);

}  // namespace satellite
