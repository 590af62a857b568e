#pragma once

#include "protocol/agent_messages.hpp"
#include "protocol/vocabulary/result.hpp"

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

namespace satellite::devcore {

/// One parsed frame of a known type -> message, by family; nothing if the type is not of the
/// family.
///
/// Errors: as decode_agent_message.
std::optional<Result<protocol::AgentMessage>> decode_contract_message(std::string_view type,
                                                                      nlohmann::json& frame);
std::optional<Result<protocol::AgentMessage>> decode_dispatch_message(std::string_view type,
                                                                      nlohmann::json& frame);

}  // namespace satellite::devcore
