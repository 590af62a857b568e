#pragma once

#include "protocol/core_messages.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string_view>

namespace satellite::protocol {

/// The `assignments` member of a message -> entries to use and entries to complain about.
///
/// Errors: invalid_input if it is no array, limit_exceeded beyond assignments_max: then nothing of
///         it can be trusted to be the full set.
Result<AssignmentSet> decode_assignments(std::string_view array);

}  // namespace satellite::protocol
