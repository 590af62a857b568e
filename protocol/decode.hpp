#pragma once

#include "protocol/core_messages.hpp"
#include "protocol/vocabulary/bounded_json.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/result.hpp"

#include <optional>
#include <string_view>

namespace satellite::protocol {

/// Frame text -> what the core said: the only door for remote input.
///
/// Shape:  pure. Strict on what it understands (types, ranges, lengths, characters), tolerant of
///         unknown types (UnknownMessage) and unknown members (ignored). One bad assignment is
///         listed in `rejected` and does not lose the others; a bad run_script whose run id can be
///         read becomes RejectedRunScript, so that it can be answered.
/// Units:  sizes count the bytes of the decoded text; `bounds` hold before anything is allocated.
/// Errors: invalid_input (not JSON, not an object, a member breaks its rule), limit_exceeded. Each
///         names the JSON path and the rule, never a value: frames carry secrets.
/// Source: core-contract 1.4, 2.1; dispatch-extension.
Result<CoreMessage> decode(std::string_view text,
                           const JsonBounds& bounds = limits::frame_after_authentication);

/// Whether a frame that decode() refuses says that it carries a sandbox policy: then the core has
/// pushed one that is not valid, which is more than a frame that was lost.
bool pushes_policy(std::string_view refused_frame);

/// The JSON text of `assignments` in a frame that decode() took; it borrows from the frame.
std::optional<std::string_view> assignments_of(std::string_view frame);

/// The `type` that the message has on the wire, for logs.
std::string_view type_of(const CoreMessage& message);

}  // namespace satellite::protocol
