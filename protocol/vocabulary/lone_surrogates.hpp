#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace satellite {

/// A copy of JSON text in which each `\uD800`…`\uDFFF` without its other half is `\uFFFD`.
///
/// Shape: nothing if there is none. JavaScript writes and reads half a pair, UTF-8 has no place for
///        it and parsers refuse the whole text: one broken emoji in one script would cost the agent
///        all its assignments. U+FFFD is what such a script gets from the existing satellite, too.
std::optional<std::string> replace_lone_surrogates(std::string_view text);

}  // namespace satellite
