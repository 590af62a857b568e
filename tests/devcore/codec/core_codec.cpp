#include "tests/devcore/codec/core_codec.hpp"

#include "protocol/timestamp.hpp"
#include "protocol/vocabulary/json_fields.hpp"
#include "protocol/wire_words.hpp"
#include "tests/devcore/codec/agent_decoders.hpp"
#include "tests/devcore/codec/output_scanner.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::devcore {
namespace {

using namespace satellite::protocol;
using nlohmann::ordered_json;

ordered_json json_of(const std::string& text) {
  ordered_json value = ordered_json::parse(text, nullptr, false);
  return value.is_discarded() ? ordered_json(text) : value;
}

ordered_json json_of(const std::map<std::string, Secret>& secrets) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, secret] : secrets) object[name] = secret.reveal();
  return object;
}

ordered_json message_of(std::string_view type) {
  return {{"type", type}};
}

template <typename Value>
void set_if(ordered_json& object, const char* name, const std::optional<Value>& value) {
  if (value) object[name] = *value;
}

void set_assignments(ordered_json& frame, const AssignmentSet& set) {
  ordered_json assignments = ordered_json::array();
  for (const Assignment& assignment : set.accepted) {
    ordered_json entry = {{"configId", assignment.config_id.text},
                          {"systemId", assignment.system_id.text},
                          {"strategyId", assignment.strategy_id},
                          {"config", json_of(assignment.config_json)},
                          {"intervalSeconds", assignment.interval.count()},
                          {"collectors", json_of(assignment.collectors_json)},
                          {"environments", json_of(assignment.environments_json)},
                          {"systemMetadata", json_of(assignment.system_metadata_json)}};
    set_if(entry, "configName", assignment.config_name);
    set_if(entry, "systemName", assignment.system_name);
    assignments.push_back(std::move(entry));
  }
  frame["assignments"] = std::move(assignments);
}

void set_script_packages(ordered_json& frame, const ScriptPackagesStatement& statement) {
  if (!statement.made) return;
  frame["scriptPackagesLockfileHash"] = nullptr;
  set_if(frame, "scriptPackagesLockfileHash", statement.lockfile_hash);
}

ordered_json frame_of(const Authenticated& message) {
  ordered_json frame = message_of("authenticated");
  frame["satelliteId"] = message.satellite_id;
  set_assignments(frame, message.assignments);
  set_script_packages(frame, message.script_packages);
  if (message.sandbox_policy_json) frame["sandboxPolicy"] = json_of(*message.sandbox_policy_json);
  if (!message.extensions.empty()) frame["extensions"] = message.extensions;
  return frame;
}

ordered_json frame_of(const AuthFailed& message) {
  return {{"type", "auth_failed"}, {"reason", message.reason}};
}

ordered_json frame_of(const ConfigUpdated& message) {
  ordered_json frame = message_of("config_updated");
  set_assignments(frame, message.assignments);
  set_script_packages(frame, message.script_packages);
  return frame;
}

ordered_json frame_of(const Shutdown& message) {
  return {{"type", "shutdown"}, {"reason", message.reason}};
}

ordered_json frame_of(const SandboxPolicy& message) {
  return {{"type", "sandbox_policy"}, {"policy", json_of(message.policy_json)}};
}

ordered_json frame_of(const RefreshScriptPackages& message) {
  return {{"type", "refresh_script_packages"}, {"lockfileHash", message.lockfile_hash}};
}

ordered_json frame_of(const ScriptPackageManifest& message) {
  ordered_json entries = ordered_json::array();
  for (const ScriptPackage& package : message.entries) {
    ordered_json entry = {
        {"name", package.name}, {"version", package.version}, {"integrity", package.integrity}};
    set_if(entry, "blobSha256", package.blob_sha256);
    entries.push_back(std::move(entry));
  }
  return {{"type", "script_package_manifest"},
          {"lockfileHash", message.lockfile_hash},
          {"entries", std::move(entries)}};
}

ordered_json frame_of(const ScriptPackageBlob& message) {
  ordered_json frame = {
      {"type", "script_package_blob"}, {"integrity", message.integrity}, {"data", nullptr}};
  set_if(frame, "data", message.data_base64);
  return frame;
}

ordered_json frame_of(const RunSecrets& message) {
  ordered_json frame = {{"type", "run_secrets"}, {"requestId", message.request_id.text}};
  if (message.environment) frame["env"] = json_of(*message.environment);
  set_if(frame, "error", message.error);
  return frame;
}

ordered_json frame_of(const ConfigSecrets& message) {
  ordered_json frame = {{"type", "config_secrets"}, {"requestId", message.request_id.text}};
  if (message.strategy) frame["strategy"] = json_of(*message.strategy);
  if (message.collectors) {
    ordered_json collectors = ordered_json::object();
    for (const auto& [entry_id, secrets] : *message.collectors) {
      collectors[entry_id] = json_of(secrets);
    }
    frame["collectors"] = std::move(collectors);
  }
  set_if(frame, "error", message.error);
  return frame;
}

ordered_json frame_of(const TelemetryAck& message) {
  return {{"type", "telemetry_ack"},
          {"batchId", message.batch_id},
          {"accepted", message.accepted},
          {"rejected", message.rejected},
          {"retryable", message.retryable}};
}

ordered_json frame_of(const CapabilityConfig& message) {
  return {{"type", "capability_config"},
          {"kind", message.kind},
          {"payload", json_of(message.payload_json)}};
}

ordered_json frame_of(const CapabilitySecretResponse& message) {
  ordered_json frame = {{"type", "capability_secret_response"},
                        {"requestId", message.request_id.text}};
  if (message.payload_json) {
    frame["payload"] = json_of(std::string(message.payload_json->reveal()));
  }
  set_if(frame, "error", message.error);
  return frame;
}

ordered_json frame_of(const RunScript& message) {
  ordered_json frame = {{"type", "run_script"},
                        {"runId", message.run_id.text},
                        {"kind", name_of(message.kind)},
                        {"language", name_of(message.language)},
                        {"script", message.script},
                        {"timeoutMs", message.timeout.count()},
                        {"priority", name_of(message.priority)}};
  if (!message.environment.empty()) frame["env"] = message.environment;
  if (!message.secret_environment.empty()) {
    frame["secretEnv"] = json_of(message.secret_environment);
  }
  if (message.context_json) frame["context"] = json_of(*message.context_json);
  set_if(frame, "workingDirectory", message.working_directory);
  set_if(frame, "stdin", message.standard_input);
  if (message.start_before) frame["startBefore"] = format_timestamp(*message.start_before);
  return frame;
}

ordered_json frame_of(const RejectedRunScript& message) {
  return {{"type", "run_script"}, {"runId", message.run_id.text}};
}

ordered_json frame_of(const CancelScript& message) {
  ordered_json frame = {{"type", "cancel_script"}, {"runId", message.run_id.text}};
  if (!message.reason.empty()) frame["reason"] = message.reason;
  return frame;
}

ordered_json frame_of(const ScriptAck& message) {
  return {{"type", "script_ack"}, {"runId", message.run_id.text}, {"seq", message.seq}};
}

ordered_json frame_of(const QueryScript& message) {
  return {{"type", "query_script"}, {"runId", message.run_id.text}};
}

ordered_json frame_of(const ResultAck& message) {
  return {{"type", "result_ack"}, {"resultIds", message.result_ids}};
}

ordered_json frame_of(const UnknownMessage& message) {
  return message_of(message.type);
}

}  // namespace

std::string encode_core_message(const CoreMessage& message) {
  const ordered_json frame =
      std::visit([](const auto& alternative) { return frame_of(alternative); }, message);
  return frame.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

Result<AgentMessage> decode_agent_message(std::string_view text, const JsonBounds& bounds) {
  auto output = text.size() > bounds.size_max.value ? std::nullopt : scan_script_output(text);
  if (output) return AgentMessage(std::move(*output));
  auto frame = parse_bounded_json(text, bounds);
  if (!frame) return frame.error();
  JsonFields fields(*frame, "$");
  const std::string type = fields.required_text("type", limits::frame_size_max);
  if (fields.failed()) return fields.error();
  auto message = decode_contract_message(type, *frame);
  if (!message) message = decode_dispatch_message(type, *frame);
  if (!message) return Error{ErrorCode::unsupported, "$.type: is unknown"};
  return std::move(*message);
}

}  // namespace satellite::devcore
