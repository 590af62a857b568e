#pragma once

#include "protocol/core_messages.hpp"
#include "protocol/decoding/json_slices.hpp"
#include "protocol/vocabulary/result.hpp"

namespace satellite::protocol {

/// What the core answers to requests of ours, and what it says about capabilities: one decoder per
/// message type, the frame's members -> message.
///
/// Errors: as decode.
/// Source: core-contract 1.4, 1.5.
Result<CoreMessage> decode_script_package_manifest(const JsonSlices& frame);
Result<CoreMessage> decode_script_package_blob(const JsonSlices& frame);
Result<CoreMessage> decode_run_secrets(const JsonSlices& frame);
Result<CoreMessage> decode_config_secrets(const JsonSlices& frame);
Result<CoreMessage> decode_telemetry_ack(const JsonSlices& frame);
Result<CoreMessage> decode_capability_config(const JsonSlices& frame);
Result<CoreMessage> decode_capability_secret_response(const JsonSlices& frame);

}  // namespace satellite::protocol
