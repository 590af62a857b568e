#include "protocol/decoding/replies.hpp"

#include "protocol/vocabulary/json_fields.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::protocol {
namespace {

using nlohmann::json;

constexpr MapBounds secret_bounds{limits::secrets_per_reply_max, limits::secret_size_max,
                                  limits::secrets_size_max};

RequestId read_request_id(JsonFields& fields) {
  return RequestId(fields.required_text("requestId", limits::id_size_max));
}

ScriptPackage read_package(JsonFields& fields) {
  ScriptPackage package;
  package.name = fields.required_text("name", limits::id_size_max);
  package.version = fields.required_text("version", limits::id_size_max);
  package.integrity = fields.required_text("integrity", limits::name_size_max);
  package.blob_sha256 = fields.optional_text("blobSha256", limits::id_size_max);
  return package;
}

}  // namespace

Result<CoreMessage> decode_script_package_manifest(const JsonSlices& frame) {
  json values = frame.parsed({"lockfileHash", "entries"});
  JsonFields fields(values, "$");
  ScriptPackageManifest message;
  message.lockfile_hash = fields.required_text("lockfileHash", limits::id_size_max);
  if (!fields.has("entries")) fields.fail(ErrorCode::invalid_input, "entries", "is missing");
  json* entries = fields.optional_array("entries", limits::packages_max);
  // One package that cannot be read spoils the whole tree, unlike one assignment of many.
  for (std::size_t i = 0; entries != nullptr && i < entries->size() && !fields.failed(); ++i) {
    JsonFields entry((*entries)[i], fields.path_of("entries", i));
    message.entries.push_back(read_package(entry));
    if (entry.failed()) fields.fail(entry.error());
  }
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_script_package_blob(const JsonSlices& frame) {
  json values = frame.parsed({"integrity", "data"});
  JsonFields fields(values, "$");
  ScriptPackageBlob message;
  message.integrity = fields.required_text("integrity", limits::name_size_max);
  message.data_base64 = fields.nullable_text("data", limits::frame_size_max);
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_run_secrets(const JsonSlices& frame) {
  json values = frame.parsed({"requestId", "env", "error"});
  JsonFields fields(values, "$");
  RunSecrets message;
  message.request_id = read_request_id(fields);
  message.environment = fields.optional_secret_map("env", secret_bounds);
  message.error = fields.optional_remark("error", limits::reason_size_max);
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_config_secrets(const JsonSlices& frame) {
  json values = frame.parsed({"requestId", "strategy", "collectors", "error"});
  JsonFields fields(values, "$");
  ConfigSecrets message;
  message.request_id = read_request_id(fields);
  message.strategy = fields.optional_secret_map("strategy", secret_bounds);
  message.error = fields.optional_remark("error", limits::reason_size_max);
  json* collectors = fields.optional_object("collectors");
  if (collectors != nullptr) {
    message.collectors.emplace();
    JsonFields entries(*collectors, fields.path_of("collectors"));
    for (auto entry = collectors->begin(); entry != collectors->end(); ++entry) {
      auto secrets = entries.optional_secret_map(entry.key(), secret_bounds);
      if (secrets) message.collectors->emplace(entry.key(), std::move(*secrets));
    }
    if (entries.failed()) fields.fail(entries.error());
  }
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_telemetry_ack(const JsonSlices& frame) {
  json values = frame.parsed({"batchId", "accepted", "rejected", "retryable"});
  JsonFields fields(values, "$");
  TelemetryAck message;
  message.batch_id = fields.required_text("batchId", limits::id_size_max);
  message.accepted = fields.required_number("accepted");
  message.rejected = fields.required_number("rejected");
  message.retryable = fields.required_flag("retryable");
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_capability_config(const JsonSlices& frame) {
  json values = frame.parsed({"kind"});
  JsonFields fields(values, "$");
  CapabilityConfig message;
  message.kind = fields.required_text("kind", limits::id_size_max);
  const auto payload = frame.find("payload");
  if (!payload) fields.fail(ErrorCode::invalid_input, "payload", "is missing");
  if (fields.failed()) return fields.error();
  message.payload_json = std::string(*payload);
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_capability_secret_response(const JsonSlices& frame) {
  json values = frame.parsed({"requestId", "error"});
  JsonFields fields(values, "$");
  CapabilitySecretResponse message;
  message.request_id = read_request_id(fields);
  message.error = fields.optional_remark("error", limits::reason_size_max);
  if (fields.failed()) return fields.error();
  const auto payload = frame.find("payload");
  if (payload) message.payload_json = Secret(std::string(*payload));
  return CoreMessage(std::move(message));
}

}  // namespace satellite::protocol
