#include "agent/dispatch/module_translation.hpp"

#include "agent/javascript/javascript_text.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "sandbox/capture/output_text.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::agent {
namespace {

using Json = nlohmann::ordered_json;
using sandbox::Outcome;

/// The id of what an automation made elsewhere: `id` or `externalId` of its result.
std::optional<std::string> external_id(const Json& result) {
  if (!result.is_object()) return std::nullopt;
  for (const char* name : {"id", "externalId"}) {
    const auto found = result.find(name);
    if (found == result.end() || found->is_null()) continue;
    if (found->is_string()) return found->get<std::string>();
    if (found->is_number()) return javascript_number_text(found->get<double>());
    return std::nullopt;
  }
  return std::nullopt;
}

Json artifact_of(const sandbox::RunResult& result, const CollectedOutput& output) {
  Json artifact = Json::object();
  if (result.answer && result.answer->ok) {
    artifact["result"] = Json::parse(result.answer->result_json, nullptr, false);
    if (auto id = external_id(artifact["result"])) artifact["externalId"] = *std::move(id);
  }
  artifact["stdout"] = sandbox::without_zero_bytes(output.standard_output);
  artifact["stderr"] = sandbox::without_zero_bytes(output.standard_error);
  artifact["durationMs"] = result.duration.count();
  artifact["timedOut"] = result.outcome == Outcome::timed_out;
  return artifact;
}

/// Why there is no result; nothing where the outcome itself says so.
std::optional<std::string> error_of_module(const sandbox::RunResult& result) {
  if (result.answer && result.answer->ok) return std::nullopt;
  if (result.answer) return sandbox::without_zero_bytes(result.answer->error);
  const bool ended = result.outcome == Outcome::exited || result.outcome == Outcome::signaled;
  if (ended && !result.error) return "Script exited without producing a result";
  return result.error;
}

}  // namespace

Result<std::string> module_context_from(protocol::ScriptKind kind,
                                        const std::string& context_json) {
  Json context = Json::parse(context_json, nullptr, false);
  if (context.is_discarded()) return Error{ErrorCode::invalid_input, "context: not valid JSON"};
  if (kind != protocol::ScriptKind::automation || !context.is_object()) return context_json;
  const auto variables = context.find("vars");
  if (variables == context.end() || context.contains("var")) return context_json;
  Json renamed = Json::object();
  for (auto& [name, value] : context.items()) {
    renamed[name == "vars" ? "var" : name] = std::move(value);
  }
  return renamed.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void describe_module(const sandbox::RunResult& result,
                     const std::optional<CollectedOutput>& artifact,
                     protocol::ScriptFinished& message) {
  message.error = error_of_module(result);
  if (result.answer) {
    if (result.answer->ok) message.result_json = result.answer->result_json;
    message.stack = result.answer->stack;
  }
  if (!artifact) return;
  const bool ran = result.outcome != Outcome::refused && result.outcome != Outcome::setup_failed;
  if (result.outcome == Outcome::timed_out && !message.error) {
    message.error = "Script execution timed out";
  } else if (message.error && result.outcome != Outcome::timed_out) {
    message.error = (ran ? "Script error: " : "Execution error: ") + *message.error;
  }
  if (!ran) return;
  message.artifact_json =
      artifact_of(result, *artifact).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace satellite::agent
