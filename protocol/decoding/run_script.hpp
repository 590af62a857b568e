#pragma once

#include "protocol/core_messages.hpp"
#include "protocol/decoding/json_slices.hpp"
#include "protocol/vocabulary/result.hpp"

namespace satellite {
class JsonFields;
}

namespace satellite::protocol {

/// A run_script frame -> RunScript, or RejectedRunScript with code `invalid`.
///
/// Errors: invalid_input when not even the run id can be read: nobody could be answered.
Result<CoreMessage> decode_run_script(const JsonSlices& frame);

/// The `runId` of a message: `[A-Za-z0-9._:-]{1,128}`.
RunId read_run_id(JsonFields& fields);

}  // namespace satellite::protocol
