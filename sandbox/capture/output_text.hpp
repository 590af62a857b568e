#pragma once

#include <string>
#include <string_view>

namespace satellite::sandbox {

/// Whether a stream was read to its end.
enum class OutputEnd { complete, cut };

/// The bytes of one stream as the text a check reports: broken UTF-8 replaced, white space gone at
/// both ends, zero bytes replaced; a code point that the cap cut in two is left out.
/// Source: core-contract 3.4.
std::string output_text(std::string_view bytes, OutputEnd end);

/// Each zero byte as U+FFFD: U+0000 is what the core's database (PostgreSQL) cannot store in a
/// text, and the whole result would be lost.
std::string without_zero_bytes(std::string_view text);

}  // namespace satellite::sandbox
