#pragma once

#include "protocol/vocabulary/result.hpp"

#include <functional>
#include <string_view>

namespace satellite::agent {

/// Base64 with padding -> its bytes, in pieces, so that they exist once. Pure but for `take`.
///
/// Errors: invalid_input for any other text; what `take` says.
/// Source: RFC 4648 section 4.
Result<void> decode_base64(std::string_view text,
                           const std::function<Result<void>(std::string_view)>& take);

}  // namespace satellite::agent
