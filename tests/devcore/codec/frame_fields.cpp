#include "tests/devcore/codec/frame_fields.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace satellite::devcore {
namespace {

using nlohmann::json;

enum class Kind {
  text,
  number,
  whole,
  flag,
  texts,
  object,
  counts,
  status,
  sync_status,
  time,
  any
};
enum class Presence { required, optional, nullable };

struct Field {
  std::string_view message, name;
  Kind kind;
  Presence presence;
};

constexpr std::string_view result = "result";
constexpr std::string_view inner = "result.result";
constexpr std::string_view metadata = "result.result.metadata";
constexpr std::string_view execute = "result.collector.execute";
constexpr std::string_view inline_script = "result.collector.inline-script";
constexpr std::string_view thrown = "result.collector.thrown";

// core-contract 1.3, 2.3, 3.5 and 3.6, row by row; `resultId` belongs to result-ack/1. Ours, since
// the core keeps what a collector's entry holds: _sandbox, outputTruncated, _outputNote,
// droppedEnv.
constexpr std::array fields{
    Field{"authenticate", "clientId", Kind::text, Presence::required},
    Field{"authenticate", "token", Kind::text, Presence::required},
    Field{"authenticate", "capabilities", Kind::texts, Presence::optional},
    Field{"heartbeat", "version", Kind::text, Presence::required},
    Field{"heartbeat", "uptimeSeconds", Kind::whole, Presence::required},
    Field{"heartbeat", "capabilities", Kind::texts, Presence::optional},
    Field{result, "resultId", Kind::text, Presence::optional},
    Field{result, "configId", Kind::text, Presence::required},
    Field{result, "systemId", Kind::text, Presence::required},
    Field{result, "environmentId", Kind::text, Presence::nullable},
    Field{result, "status", Kind::status, Presence::required},
    Field{result, "latencyMs", Kind::whole, Presence::optional},
    Field{result, "executedAt", Kind::time, Presence::required},
    Field{result, "result", Kind::object, Presence::required},
    Field{inner, "status", Kind::status, Presence::required},
    Field{inner, "latencyMs", Kind::number, Presence::required},
    Field{inner, "message", Kind::text, Presence::optional},
    Field{inner, "metadata", Kind::object, Presence::required},
    Field{metadata, "connected", Kind::flag, Presence::required},
    Field{metadata, "connectionTimeMs", Kind::number, Presence::optional},
    Field{metadata, "collectors", Kind::object, Presence::optional},
    Field{metadata, "error", Kind::text, Presence::optional},
    Field{execute, "_collectorId", Kind::text, Presence::required},
    Field{execute, "_collectorError", Kind::text, Presence::optional},
    Field{execute, "exitCode", Kind::whole, Presence::required},
    Field{execute, "stdout", Kind::text, Presence::required},
    Field{execute, "stderr", Kind::text, Presence::required},
    Field{execute, "executionTimeMs", Kind::whole, Presence::required},
    Field{execute, "success", Kind::flag, Presence::required},
    Field{execute, "timedOut", Kind::flag, Presence::required},
    Field{execute, "_sandbox", Kind::object, Presence::optional},
    Field{execute, "outputTruncated", Kind::flag, Presence::optional},
    Field{execute, "_outputNote", Kind::text, Presence::optional},
    Field{execute, "droppedEnv", Kind::texts, Presence::optional},
    Field{inline_script, "_collectorId", Kind::text, Presence::required},
    Field{inline_script, "_collectorError", Kind::text, Presence::optional},
    Field{inline_script, "success", Kind::flag, Presence::required},
    Field{inline_script, "message", Kind::text, Presence::optional},
    Field{inline_script, "value", Kind::number, Presence::optional},
    Field{inline_script, "executionTimeMs", Kind::whole, Presence::required},
    Field{inline_script, "timedOut", Kind::flag, Presence::required},
    Field{inline_script, "_sandbox", Kind::object, Presence::optional},
    Field{inline_script, "outputTruncated", Kind::flag, Presence::optional},
    Field{inline_script, "_outputNote", Kind::text, Presence::optional},
    Field{inline_script, "droppedEnv", Kind::texts, Presence::optional},
    Field{thrown, "_collectorId", Kind::text, Presence::required},
    Field{thrown, "error", Kind::text, Presence::required},
    Field{"strategy_error", "strategyId", Kind::text, Presence::required},
    Field{"strategy_error", "message", Kind::text, Presence::required},
    Field{"script_package_sync_state", "lockfileHash", Kind::text, Presence::nullable},
    Field{"script_package_sync_state", "status", Kind::sync_status, Presence::required},
    Field{"script_package_sync_state", "errorMessage", Kind::text, Presence::optional},
    Field{"request_script_package_manifest", "lockfileHash", Kind::text, Presence::required},
    Field{"request_script_package_blob", "integrity", Kind::text, Presence::required},
    Field{"request_run_secrets", "requestId", Kind::text, Presence::required},
    Field{"request_run_secrets", "configId", Kind::text, Presence::required},
    Field{"request_run_secrets", "collectorId", Kind::text, Presence::required},
    Field{"request_run_secrets", "runId", Kind::text, Presence::required},
    Field{"request_config_secrets", "requestId", Kind::text, Presence::required},
    Field{"request_config_secrets", "configId", Kind::text, Presence::required},
    Field{"request_config_secrets", "runId", Kind::text, Presence::required},
    Field{"telemetry_batch", "batchId", Kind::text, Presence::required},
    Field{"telemetry_batch", "kind", Kind::text, Presence::required},
    Field{"telemetry_batch", "payload", Kind::any, Presence::required},
    Field{"telemetry_batch", "droppedByGroup", Kind::counts, Presence::optional},
    Field{"capability_status", "kind", Kind::text, Presence::required},
    Field{"capability_status", "payload", Kind::any, Presence::required},
    Field{"capability_secret_request", "requestId", Kind::text, Presence::required},
    Field{"capability_secret_request", "kind", Kind::text, Presence::required},
    Field{"capability_secret_request", "payload", Kind::any, Presence::required},
};

bool is_one_of(const json& value, std::initializer_list<std::string_view> words) {
  return value.is_string() && std::any_of(words.begin(), words.end(), [&](std::string_view word) {
           return value.get_ref<const std::string&>() == word;
         });
}

/// `2026-03-04T05:06:07.089Z`, digit by digit.
bool is_time(const json& value) {
  constexpr std::string_view form = "dddd-dd-ddTdd:dd:dd.dddZ";
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return text.size() == form.size() &&
         std::equal(text.begin(), text.end(), form.begin(), [](char actual, char expected) {
           return expected == 'd' ? actual >= '0' && actual <= '9' : actual == expected;
         });
}

bool fits(const json& value, Kind kind) {
  const auto all = [&value](auto holds) { return std::all_of(value.begin(), value.end(), holds); };
  switch (kind) {
    case Kind::text:
      return value.is_string();
    case Kind::number:
      return value.is_number();
    case Kind::whole:
      return value.is_number_integer();
    case Kind::flag:
      return value.is_boolean();
    case Kind::texts:
      return value.is_array() && all([](const json& entry) { return entry.is_string(); });
    case Kind::object:
      return value.is_object();
    case Kind::counts:
      return value.is_object() && all([](const json& entry) { return entry.is_number(); });
    case Kind::status:
      return is_one_of(value, {"healthy", "unhealthy", "degraded"});
    case Kind::sync_status:
      return is_one_of(value, {"pending", "syncing", "ready", "error"});
    case Kind::time:
      return is_time(value);
    case Kind::any:
      return true;
  }
  return false;
}

std::optional<std::string> violation_in(const json& object, std::string_view message) {
  const std::string at = std::string(message) + '.';
  for (const Field& field : fields) {
    if (field.message != message) continue;
    const auto found = object.find(std::string(field.name));
    if (found == object.end()) {
      if (field.presence == Presence::optional) continue;
      return at + std::string(field.name) + " is missing";
    }
    const bool is_null_by_right = found->is_null() && field.presence == Presence::nullable;
    if (!is_null_by_right && !fits(*found, field.kind)) {
      return at + std::string(field.name) + " has the wrong type";
    }
  }
  for (const auto& [name, value] : object.items()) {
    const bool is_known =
        (name == "type" && message.find('.') == std::string_view::npos) ||
        std::any_of(fields.begin(), fields.end(), [&, &known = name](const Field& field) {
          return field.message == message && field.name == known;
        });
    if (!is_known) return at + name + " is in no table";
  }
  return std::nullopt;
}

/// A collector that threw has nothing but its error, whatever it is.
std::string_view table_of(const json& entry) {
  if (entry.contains("error") || !entry.contains("_collectorId")) return thrown;
  return entry["_collectorId"] == "healthcheck-script.inline-script" ? inline_script : execute;
}

bool has_table(std::string_view message) {
  return std::any_of(fields.begin(), fields.end(),
                     [message](const Field& field) { return field.message == message; });
}

}  // namespace

std::optional<std::string> field_violation(std::string_view frame) {
  const json object = json::parse(frame, nullptr, false);
  if (!object.is_object() || !object.contains("type") || !object["type"].is_string()) {
    return "the frame is no object with a type";
  }
  const std::string type = object["type"];
  if (type.starts_with("script_") && type != "script_package_sync_state") return std::nullopt;
  if (!has_table(type)) return type + " is no message of an agent";
  if (auto violation = violation_in(object, type)) return violation;
  if (type != result) return std::nullopt;
  const json& body = object["result"];
  if (auto violation = violation_in(body, inner)) return violation;
  if (auto violation = violation_in(body["metadata"], metadata)) return violation;
  if (body["status"] != object["status"]) return "result.status differs from result.result.status";
  if (!body["metadata"].contains("collectors")) return std::nullopt;
  for (const auto& [id, entry] : body["metadata"]["collectors"].items()) {
    if (!entry.is_object()) return "a collector is no object";
    if (auto violation = violation_in(entry, table_of(entry))) return violation;
  }
  return std::nullopt;
}

std::set<std::string_view> tabled_messages() {
  std::set<std::string_view> messages;
  for (const Field& field : fields) {
    if (field.message.find('.') == std::string_view::npos) messages.insert(field.message);
  }
  return messages;
}

}  // namespace satellite::devcore
