#include "sandbox/module/module_task.hpp"

#include "protocol/vocabulary/secret.hpp"

#include <nlohmann/json.hpp>

namespace satellite::sandbox {
namespace {

constexpr SdkModule health_check_module{"@checkstack/sdk/healthcheck", "defineHealthCheck",
                                        "healthcheck.mjs"};
constexpr SdkModule automation_module{"@checkstack/sdk/integration", "defineIntegration",
                                      "integration.mjs"};

std::string json_text_of(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

const SdkModule& sdk_module_of(ModulePurpose purpose) {
  return purpose == ModulePurpose::automation ? automation_module : health_check_module;
}

std::string sdk_module_text(const SdkModule& module) {
  return "export const " + std::string(module.function_name) + " = value => value;\n";
}

std::string sdk_module_url(const SdkModule& module) {
  return "data:text/javascript,export%20const%20" + std::string(module.function_name) +
         "=value=>value";
}

Result<std::string> module_task_text(const ModuleTask& task) {
  std::string text = "{\"script\":" + json_text_of(task.script) +
                     ",\"context\":" +
                     std::string(task.context_json.empty() ? "null" : task.context_json) +
                     ",\"env\":{";
  bool first = true;
  for (const auto& [name, value] : task.environment) {
    text += (first ? "" : ",") + json_text_of(name) + ":" + json_text_of(value);
    first = false;
  }
  text += "},\"helper\":" + json_text_of(task.global_function) +
          ",\"folder\":" + json_text_of(task.folder);
  if (task.packages) text += ",\"packages\":" + json_text_of(*task.packages);
  text += "}";
  if (text.size() <= module_task_size_max.value) return text;
  const std::size_t size = text.size();
  wipe(text);
  return Error{ErrorCode::limit_exceeded, "the script, its context and its variables have " +
                                              std::to_string(size) + " bytes together; at most " +
                                              std::to_string(module_task_size_max.value) +
                                              " can be handed to a runtime"};
}

}  // namespace satellite::sandbox
