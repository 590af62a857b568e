#include "agent/checks/config/module_context.hpp"

#include <utility>

namespace satellite::agent {

std::string module_context(std::string_view config_json, const CheckContext& context) {
  const auto text = [](const std::string& value) { return ScriptValue::text(value); };
  const ScriptValue check =
      ScriptValue::object({{"id", text(context.check_id)},
                           {"name", text(context.check_name)},
                           {"intervalSeconds", ScriptValue::number(context.interval_seconds)}});
  const ScriptValue system = ScriptValue::object({{"id", text(context.system_id)},
                                                  {"name", text(context.system_name)},
                                                  {"metadata", context.system_metadata}});
  std::string json = "{\"config\":" + std::string(config_json) + ",\"check\":" + check.json() +
                     ",\"system\":" + system.json();
  if (context.has_environment) {
    const ScriptValue environment = ScriptValue::object({{"id", text(context.environment_id)},
                                                         {"name", text(context.environment_name)},
                                                         {"fields", context.environment_fields}});
    json += ",\"environment\":" + environment.json();
  }
  return json + "}";
}

}  // namespace satellite::agent
