#pragma once

#include "protocol/dispatch_messages.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace satellite::devcore {

/// Reads a script_output frame that is spelled exactly as agents spell it.
///
/// Shape: members in one order, no spaces; anything unusual is nothing here and left to the general
///        parser, which decides alone what is valid. Exists because a core that reads output at the
///        speed of a general parser (100 MB/s) would be what a throughput test measures.
std::optional<protocol::ScriptOutput> scan_script_output(std::string_view frame);

/// RFC 4648 section 4 with padding; nothing if it is not exactly that.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace satellite::devcore
