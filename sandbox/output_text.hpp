#pragma once

#include <string>
#include <string_view>

namespace satellite::sandbox {

/// Whether a stream was read to its end.
enum class OutputEnd { complete, cut };

/// The bytes of one stream as the text a check reports: broken UTF-8 replaced, white space gone at
/// both ends; a code point that the cap cut in two is left out.
/// Source: core-contract 3.4.
std::string output_text(std::string_view bytes, OutputEnd end);

}  // namespace satellite::sandbox
