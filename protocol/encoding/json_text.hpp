#pragma once

#include <string>
#include <string_view>

namespace satellite::protocol {

/// Appends `text` as a JSON string with its quotes.
///
/// Shape: false, and `frame` as before, if the text is no UTF-8.
bool append_json_string(std::string& frame, std::string_view text);

}  // namespace satellite::protocol
