#pragma once

#include "protocol/vocabulary/byte_count.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string_view>

namespace satellite::sandbox {

// Between a state directory and its packed form. For a process of its own that is confined
// (state_copies): what lies in the directory is a script's choice.

/// Makes all of it in an empty directory; on failure the directory is empty again.
Result<void> unpack_state(int directory, std::string_view packed, ByteCount size_max);

/// Packs what is there into `file`, in the place of what that held. Nobody may change the directory
/// meanwhile.
///
/// Errors: not_permitted for what no state may hold (a link, a socket, a second name, set-user-id,
///         what its owner may not read), limit_exceeded, each with the path; what the calls say.
///         What the file holds then is of no use.
Result<void> pack_state(int directory, int file, ByteCount size_max);

}  // namespace satellite::sandbox
