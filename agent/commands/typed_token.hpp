#pragma once

#include "agent/config/token_source.hpp"
#include "protocol/vocabulary/result.hpp"

namespace satellite::agent {

/// The token from standard input: a question without an echo where somebody sits there, else what
/// a file or a pipe has. Never from the command line.
///
/// Errors: those of checked_token, and of reading.
Result<Token> read_typed_token();

}  // namespace satellite::agent
