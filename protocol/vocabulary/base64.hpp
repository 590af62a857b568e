#pragma once

#include <string>
#include <string_view>

namespace satellite {

/// Appends any bytes as base64 with padding (RFC 4648 section 4).
///
/// Shape: `text` grows once, so that no piece of what was a secret is left behind.
void append_base64(std::string& text, std::string_view bytes);

}  // namespace satellite
