#pragma once

#include "protocol/core_messages.hpp"

#include <optional>
#include <string>

namespace satellite::agent {

/// Who a check is, in one text: its id, its system's and its environment's, for timetable and
/// state.
///
/// Shape:  pure; a check without an environment differs from one with an environment of an empty
///         id.
std::string check_key(const protocol::Assignment& assignment,
                      const std::optional<std::string>& environment_id);

}  // namespace satellite::agent
