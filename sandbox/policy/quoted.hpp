#pragma once

#include <string>
#include <string_view>

namespace satellite::sandbox {

/// A foreign value inside one of our sentences: in double quotes, control characters and bytes
/// outside ASCII escaped, cut after 80 bytes. Safe for a log line and a terminal. (A call of plain
/// `quoted` would find std::quoted.)
std::string quoted_text(std::string_view value);

}  // namespace satellite::sandbox
