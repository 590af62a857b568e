#pragma once

#include <string>
#include <string_view>

namespace satellite::agent {

enum class Colour { good, bad, quiet };

/// The text in a colour where standard output is a terminal that shows colours and NO_COLOR is not
/// set; else as it is. Source: https://no-color.org.
std::string coloured(Colour colour, std::string_view text);

/// Writes out what standard output still holds. False if it, or anything before, could not be
/// written; the reason is on standard error then, unless the reader has simply gone.
bool flush_standard_output();

}  // namespace satellite::agent
