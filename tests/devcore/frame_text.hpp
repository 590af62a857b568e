#pragma once

#include "tests/devcore/core_state.hpp"

#include <string>
#include <string_view>

namespace satellite::devcore {

/// The `type` of a frame, or nothing readable.
std::string type_in(std::string_view text);

/// Assembled as text, so that assignments and policy reach the satellite exactly as given.
std::string authenticated_frame(const std::string& client_id, const CoreState& state);
std::string policy_frame(const std::string& policy);
std::string config_updated_frame(const CoreState& state);

}  // namespace satellite::devcore
