#include "agent/checks/check_result.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace satellite::agent {
namespace {

using Json = nlohmann::ordered_json;
using namespace satellite::byte_literals;

// What a frame holds beside the outputs of its collectors; generous, because a sandbox report
// carries reasons in words.
constexpr ByteCount frame_overhead = 64_KiB;
constexpr ByteCount collector_overhead = 16_KiB;

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The bytes one character takes inside a JSON text.
std::size_t escaped_size(char c) {
  constexpr std::string_view short_escapes = "\b\t\n\f\r\"\\";
  if (short_escapes.find(c) != std::string_view::npos) return 2;
  return static_cast<unsigned char>(c) < 0x20 ? 6 : 1;
}

std::size_t escaped_size(std::string_view text) {
  std::size_t size = 0;
  for (const char c : text) size += escaped_size(c);
  return size;
}

/// The longest prefix whose escaped form has at most `size` bytes, not ending within a code point.
std::string_view cut_escaped(std::string_view text, std::size_t size) {
  std::size_t kept = 0, used = 0;
  while (kept < text.size() && used + escaped_size(text[kept]) <= size) {
    used += escaped_size(text[kept++]);
  }
  while (kept < text.size() && kept > 0 &&
         (static_cast<unsigned char>(text[kept]) & 0xC0U) == 0x80U) {
    --kept;
  }
  return text.substr(0, kept);
}

std::vector<std::string*> outputs_of(std::vector<CollectorOutcome>& collectors) {
  std::vector<std::string*> outputs;
  for (CollectorOutcome& collector : collectors) {
    if (auto* shell = std::get_if<ExecuteOutcome>(&collector.outcome)) {
      outputs.push_back(&shell->standard_output);
      outputs.push_back(&shell->standard_error);
    } else if (auto* script = std::get_if<InlineScriptOutcome>(&collector.outcome)) {
      if (script->message) outputs.push_back(&*script->message);
    }
  }
  return outputs;
}

/// The bound for one output under which all of them fit: short ones keep what they have.
std::size_t fair_share(std::vector<std::size_t> sizes, std::size_t budget) {
  std::sort(sizes.begin(), sizes.end());
  std::size_t left = budget;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::size_t share = left / (sizes.size() - i);
    if (sizes[i] > share) return share;
    left -= sizes[i];
  }
  return budget;
}

/// Cuts what does not fit and says where; true where anything was cut.
std::vector<bool> fit(std::vector<CollectorOutcome>& collectors, ByteCount frame_size_max) {
  std::vector<bool> cut(collectors.size(), false);
  const ByteCount overhead = frame_overhead + collectors.size() * collector_overhead;
  const std::size_t budget =
      frame_size_max > overhead ? (frame_size_max - overhead).value : std::size_t{0};
  std::vector<std::size_t> sizes;
  for (const std::string* output : outputs_of(collectors)) sizes.push_back(escaped_size(*output));
  const std::size_t share = fair_share(sizes, budget);
  for (std::size_t i = 0; i < collectors.size(); ++i) {
    std::vector<CollectorOutcome> one;
    one.push_back(std::move(collectors[i]));
    for (std::string* output : outputs_of(one)) {
      if (escaped_size(*output) <= share) continue;
      output->resize(cut_escaped(*output, share).size());
      cut[i] = true;
    }
    collectors[i] = std::move(one.front());
  }
  return cut;
}

struct OutcomeFields {
  Json& into;
  void operator()(const ExecuteOutcome& end) const {
    into["exitCode"] = end.exit_code;
    into["stdout"] = end.standard_output;
    into["stderr"] = end.standard_error;
    into["executionTimeMs"] = end.took.count();
    into["success"] = end.success;
    into["timedOut"] = end.timed_out;
  }
  void operator()(const InlineScriptOutcome& end) const {
    into["success"] = end.success;
    if (end.message) into["message"] = *end.message;
    if (end.value) {
      // JavaScript writes whole numbers without a point.
      const bool whole = std::floor(*end.value) == *end.value && std::fabs(*end.value) < 1e15;
      into["value"] = whole ? Json(static_cast<std::int64_t>(*end.value)) : Json(*end.value);
    }
    into["executionTimeMs"] = end.took.count();
    into["timedOut"] = end.timed_out;
  }
  void operator()(const ThrownOutcome& end) const { into["error"] = end.text; }
};

/// The core stores it with every run of every check: what holds for all of them is left out where
/// nothing is missing. A dispatched script's report, the log at `debug` and `plan` have it whole.
Json sandbox_summary(const sandbox::EffectiveSandbox& report) {
  Json downgrades = Json::array(), notes = Json::array();
  for (const auto& downgrade : report.downgrades) {
    downgrades.push_back({{"layer", name_of(downgrade.layer)}, {"reason", downgrade.reason}});
  }
  for (const auto& note : report.notes) {
    if (note.is_standing && report.downgrades.empty()) continue;
    notes.push_back({{"layer", name_of(note.layer)}, {"note", note.note}});
  }
  Json summary{{"engine", report.engine},
               {"enforced", Json(sandbox::to_json(report.enforced))},
               {"downgrades", std::move(downgrades)}};
  if (!notes.empty()) summary["notes"] = std::move(notes);
  if (!report.grants.empty()) summary["grants"] = report.grants;
  if (!report.hints.empty()) summary["hints"] = report.hints;
  return summary;
}

Json entry_of(const CollectorOutcome& collector, bool cut_to_frame) {
  Json entry{{"_collectorId", collector.collector_id}};
  if (collector.error) entry["_collectorError"] = *collector.error;
  std::visit(OutcomeFields{entry}, collector.outcome);
  if (std::holds_alternative<ThrownOutcome>(collector.outcome)) return entry;
  entry["outputTruncated"] = collector.output_truncated || cut_to_frame;
  if (cut_to_frame) {
    entry["_outputNote"] = "cut by the satellite: the core takes no frame above 16 MiB";
  }
  if (!collector.dropped_environment.empty()) entry["droppedEnv"] = collector.dropped_environment;
  if (collector.sandbox) entry["_sandbox"] = sandbox_summary(*collector.sandbox);
  return entry;
}

protocol::CheckResult message_of(ResultIdentity identity, protocol::HealthStatus status,
                                 std::chrono::milliseconds latency, const Json& result) {
  protocol::CheckResult message;
  message.config_id = std::move(identity.config_id);
  message.system_id = std::move(identity.system_id);
  message.environment_id = std::move(identity.environment_id);
  message.status = status;
  message.latency = latency;
  message.executed_at = identity.executed_at;
  message.result_json = text_of(result);
  return message;
}

}  // namespace

std::optional<std::string> failure_of(const CollectorOutcome& collector) {
  if (const auto* thrown = std::get_if<ThrownOutcome>(&collector.outcome)) return thrown->text;
  // Upstream asks whether the text is truthy: an empty one stays in its collector, fails nothing.
  return collector.error && collector.error->empty() ? std::nullopt : collector.error;
}

protocol::CheckResult result_without_run(ResultIdentity identity, std::string error,
                                         std::chrono::milliseconds latency) {
  if (error.empty()) error = "Connection failed";
  const Json result{{"status", "unhealthy"},
                    {"latencyMs", latency.count()},
                    {"message", error},
                    {"metadata", Json{{"connected", false}, {"error", error}}}};
  return message_of(std::move(identity), protocol::HealthStatus::unhealthy, latency, result);
}

protocol::CheckResult result_of_run(ResultIdentity identity, RunTimes times,
                                    std::vector<CollectorOutcome> collectors,
                                    ByteCount frame_size_max) {
  const std::vector<bool> cut = fit(collectors, frame_size_max);
  std::optional<std::string> failure;
  Json entries = Json::object();
  for (std::size_t i = 0; i < collectors.size(); ++i) {
    if (!failure) failure = failure_of(collectors[i]);
    entries[collectors[i].entry_id] = entry_of(collectors[i], cut[i]);
  }
  const std::string latency = std::to_string(times.latency.count());
  Json result{
      {"status", failure ? "unhealthy" : "healthy"},
      {"latencyMs", times.latency.count()},
      {"message", failure ? "Check failed: " + *failure : "Completed in " + latency + "ms"}};
  result["metadata"] = Json{{"connected", true},
                            {"connectionTimeMs", times.connection.count()},
                            {"collectors", std::move(entries)}};
  const auto status = failure ? protocol::HealthStatus::unhealthy : protocol::HealthStatus::healthy;
  return message_of(std::move(identity), status, times.latency, result);
}

}  // namespace satellite::agent
