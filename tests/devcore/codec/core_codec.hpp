#pragma once

#include "protocol/agent_messages.hpp"
#include "protocol/core_messages.hpp"
#include "protocol/vocabulary/bounded_json.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string>
#include <string_view>

namespace satellite::devcore {

/// The core's side of the wire: reads what an agent says, writes what a core says.
///
/// Shape:  as strict as the existing core's schema (unknown members ignored, an unknown type is a
///         failure there too), and stricter where the dispatch extension defines more. Shares the
///         message types with the agent, but no line of its codecs, so that a mistake in one does
///         not hide in the other.
/// Errors: invalid_input, limit_exceeded; each names the JSON path, never the value.
/// Source: core-contract 1.3; dispatch-extension.
Result<protocol::AgentMessage> decode_agent_message(
    std::string_view text, const JsonBounds& bounds = limits::frame_after_authentication);

/// Members that end in `_json` go in as JSON values; text that is no JSON goes in as a string, so
/// that a test can relay a broken policy. UnknownMessage becomes a frame of that type and
/// RejectedRunScript a run_script without anything but its id.
std::string encode_core_message(const protocol::CoreMessage& message);

}  // namespace satellite::devcore
