#include "protocol/timestamp.hpp"
#include "protocol/vocabulary/json_fields.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/wire_words.hpp"
#include "tests/devcore/codec/agent_decoders.hpp"
#include "tests/devcore/codec/decoder_table.hpp"
#include "tests/devcore/codec/output_scanner.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

// The dispatch extension is ours alone, so everything that its specification says is demanded.

namespace satellite::devcore {
namespace {

using namespace satellite::protocol;
using nlohmann::json;

constexpr ByteCount dispatch_text_size_max = limits::frame_size_max;

RunId read_run_id(JsonFields& fields) {
  return RunId(fields.required_text("runId", limits::run_id_size_max));
}

std::uint64_t read_count(JsonFields& fields, std::string_view name) {
  return static_cast<std::uint64_t>(fields.required_integer(name, {0, json_integer_max}));
}

std::chrono::system_clock::time_point read_time(JsonFields& fields, std::string_view name) {
  const auto time = parse_timestamp(fields.required_text(name, limits::id_size_max));
  if (time) return *time;
  fields.fail(ErrorCode::invalid_input, name, time.error().message);
  return {};
}

std::optional<std::string> optional_json(JsonFields& fields, json& frame, const char* name) {
  if (!fields.has(name)) return std::nullopt;
  return frame[name].dump();
}

std::string required_object(JsonFields& fields, json& frame, const char* name) {
  if (fields.optional_object(name) != nullptr) return frame[name].dump();
  fields.fail(ErrorCode::invalid_input, name, "must be an object");
  return {};
}

ScriptAccepted read_accepted(JsonFields& fields, json&) {
  ScriptAccepted message;
  message.run_id = read_run_id(fields);
  message.position = read_count(fields, "position");
  return message;
}

ScriptRejected read_rejected(JsonFields& fields, json&) {
  ScriptRejected message;
  message.run_id = read_run_id(fields);
  message.code = fields.required_word<RejectionCode>("code", rejection_code_words);
  message.message = fields.required_text("message", dispatch_text_size_max);
  return message;
}

ScriptStarted read_started(JsonFields& fields, json& frame) {
  ScriptStarted message;
  message.run_id = read_run_id(fields);
  message.seq = read_count(fields, "seq");
  message.started_at = read_time(fields, "startedAt");
  message.sandbox_json = required_object(fields, frame, "sandbox");
  return message;
}

ScriptOutput read_output(JsonFields& fields, json&) {
  ScriptOutput message;
  message.run_id = read_run_id(fields);
  message.seq = read_count(fields, "seq");
  message.stream = fields.required_word<OutputStream>("stream", output_stream_words);
  message.offset = read_count(fields, "offset");
  if (fields.has("text") == fields.has("base64")) {
    fields.fail(ErrorCode::invalid_input, "text", "or base64 must be there, and only one of them");
  } else if (fields.has("text")) {
    message.bytes = fields.required_text("text", limits::output_chunk_size_max);
  } else {
    auto bytes = decode_base64(fields.required_text("base64", dispatch_text_size_max));
    if (!bytes) fields.fail(ErrorCode::invalid_input, "base64", "is no base64");
    if (bytes) message.bytes = std::move(*bytes);
  }
  if (message.bytes.size() > limits::output_chunk_size_max.value) {
    fields.fail(ErrorCode::limit_exceeded, "base64", "holds more than one chunk");
  }
  return message;
}

void read_sizes(JsonFields& fields, ScriptFinished& message) {
  json* bytes = fields.optional_object("bytes");
  json* usage = fields.optional_object("usage");
  if (bytes == nullptr || usage == nullptr) {
    fields.fail(ErrorCode::invalid_input, "bytes", "and usage must be objects");
    return;
  }
  JsonFields sizes(*bytes, fields.path_of("bytes"));
  message.bytes_standard_output = ByteCount{read_count(sizes, "stdout")};
  message.bytes_standard_error = ByteCount{read_count(sizes, "stderr")};
  message.bytes_dropped = ByteCount{read_count(sizes, "dropped")};
  if (sizes.failed()) fields.fail(sizes.error());
  JsonFields used(*usage, fields.path_of("usage"));
  const double cpu_ms = used.required_number("cpuMs");
  if (cpu_ms < 0 || cpu_ms > 1e12) {
    used.fail(ErrorCode::invalid_input, "cpuMs", "is out of range");
  } else {
    message.usage.cpu = std::chrono::microseconds(std::llround(cpu_ms * 1000));
  }
  message.usage.resident_max = ByteCount{read_count(used, "maxRssBytes")};
  if (used.failed()) fields.fail(used.error());
}

ScriptFinished read_finished(JsonFields& fields, json& frame) {
  ScriptFinished message;
  message.run_id = read_run_id(fields);
  message.seq = read_count(fields, "seq");
  message.outcome = fields.required_text("outcome", limits::id_size_max);
  if (std::find(outcome_words.begin(), outcome_words.end(), message.outcome) ==
      outcome_words.end()) {
    fields.fail(ErrorCode::invalid_input, "outcome", "is no outcome");
  }
  message.exit_code = static_cast<int>(fields.required_integer("exitCode", {-1, 255}));
  if (fields.has("signal")) {
    message.signal = static_cast<int>(fields.required_integer("signal", {1, 64}));
  }
  message.output_truncated = fields.required_flag("outputTruncated");
  read_sizes(fields, message);
  message.started_at = read_time(fields, "startedAt");
  message.duration = std::chrono::milliseconds(read_count(fields, "durationMs"));
  message.error = fields.optional_text("error", dispatch_text_size_max);
  message.stack = fields.optional_text("stack", dispatch_text_size_max);
  message.dropped_environment = fields.required_texts(
      "droppedEnv", {2 * limits::environment_entries_max, limits::environment_entry_size_max});
  message.result_json = optional_json(fields, frame, "result");
  message.artifact_json = optional_json(fields, frame, "artifact");
  message.sandbox_json = required_object(fields, frame, "sandbox");
  return message;
}

ScriptStatus read_status(JsonFields& fields, json& frame) {
  ScriptStatus message;
  message.run_id = read_run_id(fields);
  message.state = fields.required_word<ScriptState>("state", script_state_words);
  message.finished_json = optional_json(fields, frame, "finished");
  return message;
}

constexpr std::array dispatch_decoders{
    Decoder{"script_accepted", decode_with<read_accepted>},
    Decoder{"script_rejected", decode_with<read_rejected>},
    Decoder{"script_started", decode_with<read_started>},
    Decoder{"script_output", decode_with<read_output>},
    Decoder{"script_finished", decode_with<read_finished>},
    Decoder{"script_status", decode_with<read_status>},
};

}  // namespace

std::optional<Result<AgentMessage>> decode_dispatch_message(std::string_view type, json& frame) {
  return decode_by(dispatch_decoders, type, frame);
}

}  // namespace satellite::devcore
