#include "protocol/decode.hpp"

#include "protocol/decoding/assignments.hpp"
#include "protocol/decoding/json_slices.hpp"
#include "protocol/decoding/replies.hpp"
#include "protocol/decoding/run_script.hpp"
#include "protocol/vocabulary/json_fields.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

// A frame is judged once as a whole (size, depth, number of values, JSON), then its `type` picks a
// decoder, and each decoder builds only the values that it reads.

namespace satellite::protocol {
namespace {

using nlohmann::json;

Error at_root(const Error& error) { return Error{error.code, "$: " + error.message}; }

/// Absent, `null` and a hash are three statements.
ScriptPackagesStatement read_script_packages(JsonFields& fields) {
  ScriptPackagesStatement statement;
  statement.made = fields.has("scriptPackagesLockfileHash");
  if (statement.made) {
    statement.lockfile_hash =
        fields.nullable_text("scriptPackagesLockfileHash", limits::id_size_max);
  }
  return statement;
}

/// Negotiation never fails a connection: whatever is no list of names declares no extension.
std::vector<std::string> read_extensions(const json& values) {
  std::vector<std::string> extensions;
  const auto list = values.find("extensions");
  if (list == values.end() || !list->is_array()) return extensions;
  for (const json& entry : *list) {
    if (extensions.size() == limits::extensions_max) break;
    if (!entry.is_string()) continue;
    extensions.push_back(entry.get_ref<const std::string&>().substr(0, limits::id_size_max.value));
  }
  return extensions;
}

Result<AssignmentSet> read_assignments(const JsonSlices& slices) {
  const auto assignments = slices.find("assignments");
  if (!assignments) return Error{ErrorCode::invalid_input, "$.assignments: is missing"};
  return decode_assignments(*assignments);
}

Result<CoreMessage> decode_authenticated(std::string_view frame) {
  const auto slices = JsonSlices::of(frame, {"satelliteId", "assignments", "sandboxPolicy",
                                             "scriptPackagesLockfileHash", "extensions"});
  if (!slices) return at_root(slices.error());
  json values = slices->parsed({"satelliteId", "scriptPackagesLockfileHash", "extensions"});
  JsonFields fields(values, "$");
  Authenticated message;
  message.satellite_id = fields.required_text("satelliteId", limits::id_size_max);
  message.script_packages = read_script_packages(fields);
  if (fields.failed()) return fields.error();
  auto assignments = read_assignments(*slices);
  if (!assignments) return assignments.error();
  message.assignments = std::move(*assignments);
  message.extensions = read_extensions(values);
  const auto policy = slices->find("sandboxPolicy");
  if (policy) message.sandbox_policy_json = std::string(*policy);
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_config_updated(std::string_view frame) {
  const auto slices = JsonSlices::of(frame, {"assignments", "scriptPackagesLockfileHash"});
  if (!slices) return at_root(slices.error());
  json values = slices->parsed({"scriptPackagesLockfileHash"});
  JsonFields fields(values, "$");
  ConfigUpdated message;
  message.script_packages = read_script_packages(fields);
  if (fields.failed()) return fields.error();
  auto assignments = read_assignments(*slices);
  if (!assignments) return assignments.error();
  message.assignments = std::move(*assignments);
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_sandbox_policy(std::string_view frame) {
  const auto slices = JsonSlices::of(frame, {"policy"});
  if (!slices) return at_root(slices.error());
  return CoreMessage(SandboxPolicy{std::string(slices->find("policy").value_or("null"))});
}

/// A message of one text member.
template <typename Message>
Result<CoreMessage> decode_text(std::string_view frame, std::string_view name, ByteCount size_max,
                                std::string Message::* member) {
  const auto slices = JsonSlices::of(frame, {name});
  if (!slices) return at_root(slices.error());
  json values = slices->parsed({name});
  JsonFields fields(values, "$");
  Message message;
  message.*member = fields.required_text(name, size_max);
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_auth_failed(std::string_view frame) {
  return decode_text<AuthFailed>(frame, "reason", limits::reason_size_max, &AuthFailed::reason);
}

Result<CoreMessage> decode_shutdown(std::string_view frame) {
  return decode_text<Shutdown>(frame, "reason", limits::reason_size_max, &Shutdown::reason);
}

Result<CoreMessage> decode_refresh_script_packages(std::string_view frame) {
  return decode_text<RefreshScriptPackages>(frame, "lockfileHash", limits::id_size_max,
                                            &RefreshScriptPackages::lockfile_hash);
}

Result<CoreMessage> decode_cancel_script(std::string_view frame) {
  const auto slices = JsonSlices::of(frame, {"runId", "reason"});
  if (!slices) return at_root(slices.error());
  json values = slices->parsed({"runId", "reason"});
  JsonFields fields(values, "$");
  CancelScript message;
  message.run_id = read_run_id(fields);
  message.reason = fields.optional_text("reason", limits::reason_size_max).value_or("");
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_script_ack(std::string_view frame) {
  const auto slices = JsonSlices::of(frame, {"runId", "seq"});
  if (!slices) return at_root(slices.error());
  json values = slices->parsed({"runId", "seq"});
  JsonFields fields(values, "$");
  ScriptAck message;
  message.run_id = read_run_id(fields);
  message.seq = static_cast<std::uint64_t>(fields.required_integer("seq", {0, json_integer_max}));
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_query_script(std::string_view frame) {
  const auto slices = JsonSlices::of(frame, {"runId"});
  if (!slices) return at_root(slices.error());
  json values = slices->parsed({"runId"});
  JsonFields fields(values, "$");
  QueryScript message{read_run_id(fields)};
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_result_ack(std::string_view frame) {
  const auto slices = JsonSlices::of(frame, {"resultIds"});
  if (!slices) return at_root(slices.error());
  json values = slices->parsed({"resultIds"});
  JsonFields fields(values, "$");
  ResultAck message{
      fields.required_texts("resultIds", {limits::result_ids_max, limits::id_size_max})};
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

struct Decoder {
  std::string_view type;
  Result<CoreMessage> (*decode)(std::string_view frame);
};

constexpr std::array decoders{
    Decoder{"authenticated", decode_authenticated},
    Decoder{"auth_failed", decode_auth_failed},
    Decoder{"config_updated", decode_config_updated},
    Decoder{"shutdown", decode_shutdown},
    Decoder{"sandbox_policy", decode_sandbox_policy},
    Decoder{"refresh_script_packages", decode_refresh_script_packages},
    Decoder{"script_package_manifest", decode_script_package_manifest},
    Decoder{"script_package_blob", decode_script_package_blob},
    Decoder{"run_secrets", decode_run_secrets},
    Decoder{"config_secrets", decode_config_secrets},
    Decoder{"telemetry_ack", decode_telemetry_ack},
    Decoder{"capability_config", decode_capability_config},
    Decoder{"capability_secret_response", decode_capability_secret_response},
    Decoder{"run_script", decode_run_script},
    Decoder{"cancel_script", decode_cancel_script},
    Decoder{"script_ack", decode_script_ack},
    Decoder{"query_script", decode_query_script},
    Decoder{"result_ack", decode_result_ack},
};

}  // namespace

Result<CoreMessage> decode(std::string_view text, const JsonBounds& bounds) {
  const auto judged = check_bounded_json(text, bounds);
  if (!judged) return at_root(judged.error());
  const auto slices = JsonSlices::of(text, {"type"});
  if (!slices) return at_root(slices.error());
  json values = slices->parsed({"type"});
  JsonFields fields(values, "$");
  const std::string type = fields.required_text("type", limits::frame_size_max);
  if (fields.failed()) return fields.error();
  for (const Decoder& decoder : decoders) {
    if (decoder.type == type) return decoder.decode(text);
  }
  return CoreMessage(UnknownMessage{printable(type)});
}

}  // namespace satellite::protocol
