#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::agent {

/// The frame of a result with its id in it, as a core that acknowledges gets it. Pure.
///
/// Shape:  the id is the message's number and a hash of its frame, both in hexadecimal: the same
///         for every resend, also after a restart, and never that of another result, not even on a
///         host whose clock went back. A frame that is no result stays as it is.
/// Source: dispatch-extension "Results with acknowledgement".
std::string with_result_id(std::string_view frame, std::uint64_t seq);

/// The number in an id that a core names; nothing if it cannot be one of ours.
std::optional<std::uint64_t> seq_of_result_id(std::string_view id);

}  // namespace satellite::agent
