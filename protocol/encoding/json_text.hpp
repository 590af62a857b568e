#pragma once

#include <string>
#include <string_view>

namespace satellite::protocol {

/// Appends `text` as a JSON string with its quotes.
///
/// Shape: false, and `frame` as before, if the text is no UTF-8.
bool append_json_string(std::string& frame, std::string_view text);

/// Appends any bytes as base64 with padding (RFC 4648 section 4), without quotes.
void append_base64(std::string& frame, std::string_view bytes);

}  // namespace satellite::protocol
