#include "protocol/decode.hpp"

#include "protocol/decoding/assignments.hpp"
#include "protocol/decoding/json_slices.hpp"
#include "protocol/decoding/replies.hpp"
#include "protocol/decoding/run_script.hpp"
#include "protocol/vocabulary/json_fields.hpp"
#include "protocol/vocabulary/lone_surrogates.hpp"
#include "protocol/vocabulary/printable.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

// A frame is judged once as a whole (size, depth, number of values, JSON), then its `type` picks a
// decoder, and each decoder builds only the values that it reads.

namespace satellite::protocol {
namespace {

using nlohmann::json;

Error at_root(const Error& error) {
  return Error{error.code, "$: " + error.message};
}

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

Result<AssignmentSet> read_assignments(const JsonSlices& frame) {
  const auto assignments = frame.find("assignments");
  if (!assignments) return Error{ErrorCode::invalid_input, "$.assignments: is missing"};
  return decode_assignments(*assignments);
}

Result<CoreMessage> decode_authenticated(const JsonSlices& frame) {
  json values = frame.parsed({"satelliteId", "scriptPackagesLockfileHash", "extensions"});
  JsonFields fields(values, "$");
  Authenticated message;
  message.satellite_id = fields.required_text("satelliteId", limits::id_size_max);
  message.script_packages = read_script_packages(fields);
  if (fields.failed()) return fields.error();
  auto assignments = read_assignments(frame);
  if (!assignments) return assignments.error();
  message.assignments = std::move(*assignments);
  message.extensions = read_extensions(values);
  const auto policy = frame.find("sandboxPolicy");
  if (policy) message.sandbox_policy_json = std::string(*policy);
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_config_updated(const JsonSlices& frame) {
  json values = frame.parsed({"scriptPackagesLockfileHash"});
  JsonFields fields(values, "$");
  ConfigUpdated message;
  message.script_packages = read_script_packages(fields);
  if (fields.failed()) return fields.error();
  auto assignments = read_assignments(frame);
  if (!assignments) return assignments.error();
  message.assignments = std::move(*assignments);
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_sandbox_policy(const JsonSlices& frame) {
  return CoreMessage(SandboxPolicy{std::string(frame.find("policy").value_or("null"))});
}

/// A message that says nothing but why.
template <typename Message>
Result<CoreMessage> decode_reason(const JsonSlices& frame) {
  json values = frame.parsed({"reason"});
  JsonFields fields(values, "$");
  Message message{fields.required_remark("reason", limits::reason_size_max)};
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_refresh_script_packages(const JsonSlices& frame) {
  json values = frame.parsed({"lockfileHash"});
  JsonFields fields(values, "$");
  RefreshScriptPackages message{fields.required_text("lockfileHash", limits::id_size_max)};
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_cancel_script(const JsonSlices& frame) {
  json values = frame.parsed({"runId", "reason"});
  JsonFields fields(values, "$");
  CancelScript message;
  message.run_id = read_run_id(fields);
  message.reason = fields.optional_remark("reason", limits::reason_size_max).value_or("");
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_script_ack(const JsonSlices& frame) {
  json values = frame.parsed({"runId", "seq"});
  JsonFields fields(values, "$");
  ScriptAck message;
  message.run_id = read_run_id(fields);
  message.seq = static_cast<std::uint64_t>(fields.required_integer("seq", {0, json_integer_max}));
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_query_script(const JsonSlices& frame) {
  json values = frame.parsed({"runId"});
  JsonFields fields(values, "$");
  QueryScript message{read_run_id(fields)};
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

Result<CoreMessage> decode_result_ack(const JsonSlices& frame) {
  json values = frame.parsed({"resultIds"});
  JsonFields fields(values, "$");
  ResultAck message{
      fields.required_texts("resultIds", {limits::result_ids_max, limits::id_size_max})};
  if (fields.failed()) return fields.error();
  return CoreMessage(std::move(message));
}

/// Every member that any decoder reads: one pass finds them, whatever the type turns out to be.
constexpr std::array<std::string_view, 35> frame_members{
    "type",       "satelliteId", "assignments", "sandboxPolicy", "scriptPackagesLockfileHash",
    "extensions", "reason",      "policy",      "lockfileHash",  "entries",
    "integrity",  "data",        "requestId",   "env",           "error",
    "strategy",   "collectors",  "batchId",     "accepted",      "rejected",
    "retryable",  "kind",        "payload",     "runId",         "language",
    "script",     "timeoutMs",   "secretEnv",   "context",       "workingDirectory",
    "stdin",      "priority",    "startBefore", "seq",           "resultIds"};

struct Decoder {
  std::string_view type;
  Result<CoreMessage> (*decode)(const JsonSlices& frame);
};

constexpr std::array decoders{
    Decoder{"authenticated", decode_authenticated},
    Decoder{"auth_failed", decode_reason<AuthFailed>},
    Decoder{"config_updated", decode_config_updated},
    Decoder{"shutdown", decode_reason<Shutdown>},
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

Result<CoreMessage> decode_valid(std::string_view text) {
  const auto frame = JsonSlices::of(text, frame_members);
  if (!frame) return at_root(frame.error());
  json values = frame->parsed({"type"});
  JsonFields fields(values, "$");
  const std::string type = fields.required_text("type", limits::frame_size_max);
  if (fields.failed()) return fields.error();
  for (const Decoder& decoder : decoders) {
    if (decoder.type == type) return decoder.decode(*frame);
  }
  return CoreMessage(UnknownMessage{printable(type)});
}

}  // namespace

std::string_view type_of(const CoreMessage& message) {
  constexpr std::array<std::string_view, 20> types{"authenticated",
                                                   "auth_failed",
                                                   "config_updated",
                                                   "shutdown",
                                                   "sandbox_policy",
                                                   "refresh_script_packages",
                                                   "script_package_manifest",
                                                   "script_package_blob",
                                                   "run_secrets",
                                                   "config_secrets",
                                                   "telemetry_ack",
                                                   "capability_config",
                                                   "capability_secret_response",
                                                   "run_script",
                                                   "run_script",
                                                   "cancel_script",
                                                   "script_ack",
                                                   "query_script",
                                                   "result_ack",
                                                   "unknown"};
  static_assert(types.size() == std::variant_size_v<CoreMessage>);
  return types.at(message.index());
}

bool pushes_policy(std::string_view refused_frame) {
  constexpr std::array<std::string_view, 1> type{"type"}, policy{"sandboxPolicy"};
  constexpr std::size_t longest = 128;  // every character of the longest type as an escape
  const auto typed = JsonSlices::of(refused_frame, type);
  const auto text = typed ? typed->find("type") : std::nullopt;
  // Nobody has judged this text: only what is a short string goes to a parser.
  if (!text || !text->starts_with('"') || text->size() > longest) return false;
  const json name = json::parse(*text, nullptr, false);
  if (name == "sandbox_policy") return true;
  if (name != "authenticated") return false;
  const auto carrying = JsonSlices::of(refused_frame, policy);
  return !carrying || carrying->find("sandboxPolicy");  // refused = it is there twice
}

std::optional<std::string_view> assignments_of(std::string_view frame) {
  constexpr std::array<std::string_view, 1> member{"assignments"};
  const auto slices = JsonSlices::of(frame, member);
  return slices ? slices->find("assignments") : std::nullopt;
}

Result<CoreMessage> decode(std::string_view text, const JsonBounds& bounds) {
  const auto judged = check_bounded_json(text, bounds);
  if (judged) return decode_valid(text);
  if (judged.error().code != ErrorCode::invalid_input) return at_root(judged.error());
  auto repaired = replace_lone_surrogates(text);
  if (!repaired || !check_bounded_json(*repaired, bounds)) return at_root(judged.error());
  auto message = decode_valid(*repaired);
  wipe(*repaired);
  return message;
}

}  // namespace satellite::protocol
