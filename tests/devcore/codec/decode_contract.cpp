#include "protocol/timestamp.hpp"
#include "protocol/vocabulary/json_fields.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/wire_words.hpp"
#include "tests/devcore/codec/agent_decoders.hpp"
#include "tests/devcore/codec/decoder_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

// The messages of the existing contract, by the rules of the existing core's schema: texts of any
// length, numbers of any size, timestamps as free text there; here they must also be readable.

namespace satellite::devcore {
namespace {

using namespace satellite::protocol;
using nlohmann::json;

constexpr ByteCount contract_text_size_max = limits::frame_size_max;
constexpr ListBounds capability_bounds{limits::extensions_max, limits::id_size_max};

/// The schema takes any number; what no duration can hold is brought to its end.
std::int64_t rounded(double number) {
  constexpr auto bound = static_cast<double>(json_integer_max);
  return static_cast<std::int64_t>(std::clamp(std::round(number), -bound, bound));
}

json member_of(JsonFields& fields, json& frame, const char* name) {
  if (fields.has(name)) return frame[name];
  fields.fail(ErrorCode::invalid_input, name, "is missing");
  return nullptr;
}

Authenticate read_authenticate(JsonFields& fields, json&) {
  Authenticate message;
  message.client_id = fields.required_text("clientId", contract_text_size_max);
  message.token = Secret(fields.required_text("token", limits::token_size_max));
  message.capabilities = fields.optional_texts("capabilities", capability_bounds);
  return message;
}

Heartbeat read_heartbeat(JsonFields& fields, json&) {
  Heartbeat message;
  message.version = fields.required_text("version", contract_text_size_max);
  message.uptime = std::chrono::seconds(rounded(fields.required_number("uptimeSeconds")));
  message.capabilities = fields.optional_texts("capabilities", capability_bounds);
  return message;
}

/// The payload of a result, judged as the existing core judges it (core-contract 2.3).
void check_result(JsonFields& message, json& result) {
  JsonFields fields(result, message.path_of("result"));
  fields.required_word<HealthStatus>("status", health_status_words);
  fields.required_number("latencyMs");
  fields.optional_text("message", contract_text_size_max);
  json* metadata = fields.optional_object("metadata");
  if (metadata == nullptr) {
    fields.fail(ErrorCode::invalid_input, "metadata", "must be an object");
  } else {
    JsonFields inner(*metadata, fields.path_of("metadata"));
    inner.required_flag("connected");
    inner.optional_number("connectionTimeMs");
    inner.optional_object("collectors");
    inner.optional_text("error", contract_text_size_max);
    if (inner.failed()) fields.fail(inner.error());
  }
  if (fields.failed()) message.fail(fields.error());
}

CheckResult read_result(JsonFields& fields, json& frame) {
  CheckResult message;
  message.result_id = fields.optional_text("resultId", limits::id_size_max);
  message.config_id = ConfigId(fields.required_text("configId", contract_text_size_max));
  message.system_id = SystemId(fields.required_text("systemId", contract_text_size_max));
  if (fields.has("environmentId")) {
    message.environment_id = fields.nullable_text("environmentId", contract_text_size_max);
  }
  message.status = fields.required_word<HealthStatus>("status", health_status_words);
  const auto latency = fields.optional_number("latencyMs");
  if (latency) message.latency = std::chrono::milliseconds(rounded(*latency));
  // The schema takes any text here, so an unreadable time is not a reason to refuse the message.
  const auto executed_at =
      parse_timestamp(fields.required_text("executedAt", contract_text_size_max));
  if (executed_at) message.executed_at = *executed_at;
  if (fields.has("result")) {
    message.result_json = frame["result"].dump();
    check_result(fields, frame["result"]);
  }
  return message;
}

StrategyError read_strategy_error(JsonFields& fields, json&) {
  StrategyError message;
  message.strategy_id = fields.required_text("strategyId", contract_text_size_max);
  message.message = fields.required_text("message", contract_text_size_max);
  return message;
}

ScriptPackageSyncState read_sync_state(JsonFields& fields, json&) {
  ScriptPackageSyncState message;
  message.lockfile_hash = fields.nullable_text("lockfileHash", contract_text_size_max);
  message.status = fields.required_word<PackageSyncStatus>("status", package_sync_status_words);
  message.error_message = fields.optional_text("errorMessage", contract_text_size_max);
  return message;
}

RequestScriptPackageManifest read_request_manifest(JsonFields& fields, json&) {
  return {fields.required_text("lockfileHash", contract_text_size_max)};
}

RequestScriptPackageBlob read_request_blob(JsonFields& fields, json&) {
  return {fields.required_text("integrity", contract_text_size_max)};
}

RequestRunSecrets read_request_run_secrets(JsonFields& fields, json&) {
  RequestRunSecrets message;
  message.request_id = RequestId(fields.required_text("requestId", contract_text_size_max));
  message.config_id = ConfigId(fields.required_text("configId", contract_text_size_max));
  message.collector_id = fields.required_text("collectorId", contract_text_size_max);
  message.run_id = fields.required_text("runId", contract_text_size_max);
  return message;
}

RequestConfigSecrets read_request_config_secrets(JsonFields& fields, json&) {
  RequestConfigSecrets message;
  message.request_id = RequestId(fields.required_text("requestId", contract_text_size_max));
  message.config_id = ConfigId(fields.required_text("configId", contract_text_size_max));
  message.run_id = fields.required_text("runId", contract_text_size_max);
  return message;
}

TelemetryBatch read_telemetry_batch(JsonFields& fields, json& frame) {
  TelemetryBatch message;
  message.batch_id = fields.required_text("batchId", contract_text_size_max);
  message.kind = fields.required_text("kind", contract_text_size_max);
  message.payload_json = member_of(fields, frame, "payload").dump();
  json* dropped = fields.optional_object("droppedByGroup");
  if (dropped == nullptr) return message;
  JsonFields groups(*dropped, fields.path_of("droppedByGroup"));
  for (const auto& group : dropped->items()) {
    const std::int64_t count = rounded(groups.required_number(group.key()));
    message.dropped_by_group[group.key()] =
        static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
  }
  if (groups.failed()) fields.fail(groups.error());
  return message;
}

CapabilityStatus read_capability_status(JsonFields& fields, json& frame) {
  CapabilityStatus message;
  message.kind = fields.required_text("kind", contract_text_size_max);
  message.payload_json = member_of(fields, frame, "payload").dump();
  return message;
}

CapabilitySecretRequest read_capability_secret_request(JsonFields& fields, json& frame) {
  CapabilitySecretRequest message;
  message.request_id = RequestId(fields.required_text("requestId", contract_text_size_max));
  message.kind = fields.required_text("kind", contract_text_size_max);
  message.payload_json = member_of(fields, frame, "payload").dump();
  return message;
}

constexpr std::array contract_decoders{
    Decoder{"authenticate", decode_with<read_authenticate>},
    Decoder{"heartbeat", decode_with<read_heartbeat>},
    Decoder{"result", decode_with<read_result>},
    Decoder{"strategy_error", decode_with<read_strategy_error>},
    Decoder{"script_package_sync_state", decode_with<read_sync_state>},
    Decoder{"request_script_package_manifest", decode_with<read_request_manifest>},
    Decoder{"request_script_package_blob", decode_with<read_request_blob>},
    Decoder{"request_run_secrets", decode_with<read_request_run_secrets>},
    Decoder{"request_config_secrets", decode_with<read_request_config_secrets>},
    Decoder{"telemetry_batch", decode_with<read_telemetry_batch>},
    Decoder{"capability_status", decode_with<read_capability_status>},
    Decoder{"capability_secret_request", decode_with<read_capability_secret_request>},
};

}  // namespace

std::optional<Result<AgentMessage>> decode_contract_message(std::string_view type, json& frame) {
  return decode_by(contract_decoders, type, frame);
}

}  // namespace satellite::devcore
