#pragma once

#include "protocol/core_messages.hpp"
#include "protocol/vocabulary/result.hpp"

#include <string_view>

namespace satellite::protocol {

/// What the core answers to requests of ours, and what it says about capabilities: one decoder per
/// message type, frame text -> message.
///
/// Errors: as decode.
/// Source: spec/core-contract.md 1.4, 1.5.
Result<CoreMessage> decode_script_package_manifest(std::string_view frame);
Result<CoreMessage> decode_script_package_blob(std::string_view frame);
Result<CoreMessage> decode_run_secrets(std::string_view frame);
Result<CoreMessage> decode_config_secrets(std::string_view frame);
Result<CoreMessage> decode_telemetry_ack(std::string_view frame);
Result<CoreMessage> decode_capability_config(std::string_view frame);
Result<CoreMessage> decode_capability_secret_response(std::string_view frame);

}  // namespace satellite::protocol
