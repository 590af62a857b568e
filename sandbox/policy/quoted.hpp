#pragma once

#include <string>
#include <string_view>

namespace satellite::sandbox {

/// A foreign value inside one of our sentences: in double quotes, control characters and bytes
/// outside ASCII escaped, cut after 80 bytes. Safe for a log line and a terminal.
std::string in_quotes(std::string_view value);

}  // namespace satellite::sandbox
