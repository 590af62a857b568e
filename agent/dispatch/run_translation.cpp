#include "agent/dispatch/run_translation.hpp"

#include "agent/dispatch/automation_environment.hpp"
#include "agent/dispatch/module_translation.hpp"
#include "sandbox/capture/output_text.hpp"
#include "sandbox/report/outcome.hpp"

#include <nlohmann/json.hpp>

namespace satellite::agent {
namespace {

using Json = nlohmann::ordered_json;

std::string text_of(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string artifact_json(const sandbox::RunResult& result, const CollectedOutput& output) {
  return text_of(Json{{"exitCode", result.exit_code},
                      {"stdout", sandbox::without_zero_bytes(output.standard_output)},
                      {"stderr", sandbox::without_zero_bytes(output.standard_error)},
                      {"durationMs", result.duration.count()},
                      {"timedOut", result.outcome == sandbox::Outcome::timed_out}});
}

Result<sandbox::ModuleInput> module_from(const protocol::RunScript& message) {
  sandbox::ModuleInput module;
  if (message.kind == protocol::ScriptKind::automation) {
    module.purpose = sandbox::ModulePurpose::automation;
  }
  if (!message.context_json) return module;
  auto context = module_context_from(message.kind, *message.context_json);
  if (!context) return context.error();
  module.context_json = Secret(*std::move(context));
  return module;
}

}  // namespace

Result<sandbox::RunRequest> run_request_from(protocol::RunScript message) {
  sandbox::RunRequest request;
  if (message.kind == protocol::ScriptKind::automation) {
    request.kind = sandbox::RunKind::automation;
  }
  const bool is_module = message.language == protocol::ScriptLanguage::module;
  if (is_module) {
    auto module = module_from(message);
    if (!module) return module.error();
    request.language = sandbox::Language::module;
    request.module = *std::move(module);
  }
  request.id = std::move(message.run_id);
  request.script = std::move(message.script);
  request.timeout = message.timeout;
  request.working_directory = std::move(message.working_directory);
  request.has_standard_input = message.standard_input.has_value();
  if (message.standard_input) request.standard_input = *std::move(message.standard_input);
  if (!is_module && message.kind == protocol::ScriptKind::automation && message.context_json) {
    auto variables = automation_environment(*message.context_json);
    if (!variables) return variables.error();
    request.environment = *std::move(variables);
  }
  for (auto& [name, value] : message.environment) {
    request.environment.insert_or_assign(name, std::move(value));
  }
  for (const auto& [name, value] : message.secret_environment) request.environment.erase(name);
  request.secret_environment = std::move(message.secret_environment);
  return request;
}

protocol::ScriptFinished finished_message_from(const sandbox::RunResult& result,
                                               const std::optional<CollectedOutput>& artifact) {
  protocol::ScriptFinished message;
  message.outcome = std::string(sandbox::name_of(result.outcome));
  message.exit_code = result.exit_code;
  message.signal = result.signal;
  message.output_truncated = result.output_truncated;
  message.bytes_standard_output = result.bytes_standard_output;
  message.bytes_standard_error = result.bytes_standard_error;
  message.bytes_dropped = result.bytes_dropped;
  message.started_at = result.started_at;
  message.duration = result.duration;
  message.usage.cpu = result.usage.cpu_user + result.usage.cpu_system;
  message.usage.resident_max = result.usage.resident_max;
  message.error = result.error;
  message.dropped_environment = result.dropped_environment;
  message.sandbox_json = report_json(result.sandbox);
  if (result.is_module) {
    describe_module(result, artifact, message);
  } else if (artifact) {
    message.artifact_json = artifact_json(result, *artifact);
  }
  return message;
}

std::string report_json(const sandbox::EffectiveSandbox& report) {
  return sandbox::to_json(report).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace satellite::agent
