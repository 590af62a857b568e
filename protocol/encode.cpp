#include "protocol/encode.hpp"

#include "protocol/encoding/json_text.hpp"
#include "protocol/timestamp.hpp"
#include "protocol/vocabulary/base64.hpp"
#include "protocol/vocabulary/bounded_json.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/wire_words.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::protocol {
namespace {

using nlohmann::ordered_json;

/// One frame in the making: members in the order of the calls, ready-made JSON at the end.
class Frame {
 public:
  explicit Frame(std::string_view type) { members_["type"] = type; }

  template <typename Value>
  Frame& with(const char* name, Value&& value) {
    members_[name] = std::forward<Value>(value);
    return *this;
  }
  template <typename Value>
  Frame& with_if(const char* name, const std::optional<Value>& value) {
    return value ? with(name, *value) : *this;
  }
  template <typename Value>
  Frame& with_or_null(const char* name, const std::optional<Value>& value) {
    return value ? with(name, *value) : with(name, nullptr);
  }
  Frame& with_list_if_any(const char* name, const std::vector<std::string>& values) {
    return values.empty() ? *this : with(name, values);
  }

  /// JSON made elsewhere goes in as it is. It is checked, because one broken member would make the
  /// core drop the whole frame, and with it the end of a run.
  Frame& with_json(std::string_view name, const std::string& json_text) {
    const bool valid =
        check_bounded_json(json_text, limits::frame_after_authentication).has_value();
    append_name(name);
    tail_ += valid ? std::string_view(json_text) : std::string_view("null");
    return *this;
  }
  Frame& with_json_if(std::string_view name, const std::optional<std::string>& json_text) {
    return json_text ? with_json(name, *json_text) : *this;
  }

  /// Straight into the frame, so that no copy of a secret stays behind in a value tree.
  Frame& with_secret(std::string_view name, const Secret& secret) {
    // Its room first: growing would leave pieces of the secret behind. A character takes six bytes
    // at most.
    constexpr std::size_t around = 16;
    tail_.reserve(tail_.size() + name.size() + around + 6 * secret.reveal().size());
    append_name(name);
    if (!append_json_string(tail_, secret.reveal())) tail_ += "null";
    return *this;
  }

  std::string text() {
    std::string frame = members_.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    if (tail_.empty()) return frame;
    frame.reserve(frame.size() + tail_.size());
    frame.pop_back();
    frame += tail_;
    frame += '}';
    wipe(tail_);
    return frame;
  }

 private:
  void append_name(std::string_view name) {
    tail_ += ",\"";
    tail_ += name;
    tail_ += "\":";
  }

  ordered_json members_ = ordered_json::object();
  std::string tail_;
};

std::string frame_of(const Authenticate& message) {
  return Frame("authenticate")
      .with("clientId", message.client_id)
      .with_list_if_any("capabilities", message.capabilities)
      .with_secret("token", message.token)
      .text();
}

std::string frame_of(const Heartbeat& message) {
  return Frame("heartbeat")
      .with("version", message.version)
      .with("uptimeSeconds", message.uptime.count())
      .with_list_if_any("capabilities", message.capabilities)
      .text();
}

std::string frame_of(const CheckResult& message) {
  Frame frame("result");
  frame.with_if("resultId", message.result_id)
      .with("configId", message.config_id.text)
      .with("systemId", message.system_id.text)
      .with_or_null("environmentId", message.environment_id)
      .with("status", name_of(message.status));
  if (message.latency) frame.with("latencyMs", message.latency->count());
  return frame.with("executedAt", format_timestamp(message.executed_at))
      .with_json_if("result", message.result_json)
      .text();
}

std::string frame_of(const StrategyError& message) {
  return Frame("strategy_error")
      .with("strategyId", message.strategy_id)
      .with("message", message.message)
      .text();
}

std::string frame_of(const ScriptPackageSyncState& message) {
  return Frame("script_package_sync_state")
      .with_or_null("lockfileHash", message.lockfile_hash)
      .with("status", name_of(message.status))
      .with_if("errorMessage", message.error_message)
      .text();
}

std::string frame_of(const RequestScriptPackageManifest& message) {
  return Frame("request_script_package_manifest")
      .with("lockfileHash", message.lockfile_hash)
      .text();
}

std::string frame_of(const RequestScriptPackageBlob& message) {
  return Frame("request_script_package_blob").with("integrity", message.integrity).text();
}

std::string frame_of(const RequestRunSecrets& message) {
  return Frame("request_run_secrets")
      .with("requestId", message.request_id.text)
      .with("configId", message.config_id.text)
      .with("collectorId", message.collector_id)
      .with("runId", message.run_id)
      .text();
}

std::string frame_of(const RequestConfigSecrets& message) {
  return Frame("request_config_secrets")
      .with("requestId", message.request_id.text)
      .with("configId", message.config_id.text)
      .with("runId", message.run_id)
      .text();
}

std::string frame_of(const TelemetryBatch& message) {
  Frame frame("telemetry_batch");
  frame.with("batchId", message.batch_id).with("kind", message.kind);
  if (!message.dropped_by_group.empty()) frame.with("droppedByGroup", message.dropped_by_group);
  return frame.with_json("payload", message.payload_json).text();
}

std::string frame_of(const CapabilityStatus& message) {
  return Frame("capability_status")
      .with("kind", message.kind)
      .with_json("payload", message.payload_json)
      .text();
}

std::string frame_of(const CapabilitySecretRequest& message) {
  return Frame("capability_secret_request")
      .with("requestId", message.request_id.text)
      .with("kind", message.kind)
      .with_json("payload", message.payload_json)
      .text();
}

std::string frame_of(const ScriptAccepted& message) {
  return Frame("script_accepted")
      .with("runId", message.run_id.text)
      .with("position", message.position)
      .text();
}

std::string frame_of(const ScriptRejected& message) {
  return Frame("script_rejected")
      .with("runId", message.run_id.text)
      .with("code", name_of(message.code))
      .with("message", message.message)
      .text();
}

std::string frame_of(const ScriptStarted& message) {
  return Frame("script_started")
      .with("runId", message.run_id.text)
      .with("seq", message.seq)
      .with("startedAt", format_timestamp(message.started_at))
      .with_json("sandbox", message.sandbox_json)
      .text();
}

std::string frame_of(const ScriptOutput& message) {
  const ScriptOutputView view{message.run_id.text, message.seq, message.stream, message.offset,
                              message.bytes};
  return encode(view);
}

std::string frame_of(const ScriptFinished& message) {
  const ordered_json bytes = {{"stdout", message.bytes_standard_output.value},
                              {"stderr", message.bytes_standard_error.value},
                              {"dropped", message.bytes_dropped.value}};
  const ordered_json usage = {{"cpuMs", static_cast<double>(message.usage.cpu.count()) / 1000},
                              {"maxRssBytes", message.usage.resident_max.value}};
  return Frame("script_finished")
      .with("runId", message.run_id.text)
      .with("seq", message.seq)
      .with("outcome", message.outcome)
      .with("exitCode", message.exit_code)
      .with_if("signal", message.signal)
      .with("outputTruncated", message.output_truncated)
      .with("bytes", bytes)
      .with("startedAt", format_timestamp(message.started_at))
      .with("durationMs", message.duration.count())
      .with("usage", usage)
      .with_if("error", message.error)
      .with_if("stack", message.stack)
      .with("droppedEnv", message.dropped_environment)
      .with_json_if("result", message.result_json)
      .with_json_if("artifact", message.artifact_json)
      .with_json("sandbox", message.sandbox_json)
      .text();
}

std::string frame_of(const ScriptStatus& message) {
  return Frame("script_status")
      .with("runId", message.run_id.text)
      .with("state", name_of(message.state))
      .with_json_if("finished", message.finished_json)
      .text();
}

}  // namespace

std::string encode(const AgentMessage& message) {
  return std::visit([](const auto& alternative) { return frame_of(alternative); }, message);
}

std::string encode(const ScriptStarted& message) {
  return frame_of(message);
}

std::string encode(const ScriptFinished& message) {
  return frame_of(message);
}

std::string encode(const ScriptOutputView& output) {
  // Room for the frame around the bytes and for the escapes of ordinary lines.
  constexpr std::size_t frame_around = 384;
  std::string frame;
  frame.reserve(output.bytes.size() + output.bytes.size() / 16 + frame_around);
  frame += R"({"type":"script_output","runId":)";
  if (!append_json_string(frame, output.run_id)) frame += R"("")";
  frame += R"(,"seq":)";
  frame += std::to_string(output.seq);
  frame += R"(,"stream":")";
  frame += name_of(output.stream);
  frame += R"(","offset":)";
  frame += std::to_string(output.offset);
  const std::size_t frame_size = frame.size();
  // U+0000 is valid UTF-8, but the core's database cannot store it in a text. As base64 the bytes
  // stay what they are, and so do the offsets.
  const bool has_zero_byte = output.bytes.find('\0') != std::string_view::npos;
  frame += R"(,"text":)";
  if (has_zero_byte || !append_json_string(frame, output.bytes)) {
    frame.resize(frame_size);
    frame += R"(,"base64":")";
    append_base64(frame, output.bytes);
    frame += '"';
  }
  frame += '}';
  return frame;
}

}  // namespace satellite::protocol
