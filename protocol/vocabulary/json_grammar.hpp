#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace satellite {

/// How much a JSON text holds.
struct JsonShape {
  std::size_t depth_max = 0;  ///< nested arrays and objects
  std::size_t values = 1;     ///< scalars and containers, an empty container as two
};

/// The shape of `text` if it certainly is JSON in UTF-8 and no object in it has two members of one
/// name; nothing if that takes a parser to say.
///
/// Shape:  one pass that remembers no more than the names of open objects, several times as fast
///         as a parser, and never milder: what it takes a parser takes, too. It leaves to the
///         parser more than 64 levels, numbers that might be out of range, escapes in names and
///         65,536 names at a time.
/// Source: RFC 8259; RFC 3629 section 4.
std::optional<JsonShape> quick_json_shape(std::string_view text);

}  // namespace satellite
