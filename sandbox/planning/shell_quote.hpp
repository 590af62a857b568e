#pragma once

#include <string>
#include <string_view>

namespace satellite::sandbox {

/// One word for a POSIX shell: `value` in single quotes, its own single quotes as `'\''`.
/// Source: reference-satellite 12; POSIX XCU 2.2.2.
std::string shell_quote(std::string_view value);

}  // namespace satellite::sandbox
