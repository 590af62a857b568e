#pragma once

#include "protocol/vocabulary/byte_count.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace satellite::tests {

/// One run streamed over a link that loses whatever is on its way, each step chosen by one byte.
///
/// Shape:  the core at the other end keeps what it has not seen yet, drops what it has, and
///         acknowledges when told to. At the end the link stays up until all is acknowledged.
///         `window` is how much may be in flight; chunks are up to one and a half of it.
/// Errors: what went wrong, if any message was lost, changed, reordered or sent beyond the window.
std::optional<std::string> simulate_run_stream(std::string_view choices, ByteCount window);

}  // namespace satellite::tests
