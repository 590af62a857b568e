#include "agent/checks/config/check_definition.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace satellite::agent {
namespace {

using Json = nlohmann::ordered_json;

ScriptValue object_from(std::string_view json_text) {
  auto value = parse_script_value(json_text);
  return value && value->as_object() != nullptr ? *std::move(value) : ScriptValue::object({});
}

void describe_environment(const std::string& environments_json, const std::string& id,
                          CheckContext& context) {
  const auto environments = parse_script_value(environments_json);
  if (!environments || environments->as_array() == nullptr) return;
  for (const ScriptValue& environment : *environments->as_array()) {
    const ScriptValue own_id = environment.member("id");
    if (own_id.as_text() == nullptr || *own_id.as_text() != id) continue;
    const ScriptValue fields = environment.member("fields");
    if (fields.as_object() != nullptr) context.environment_fields = fields;
    context.environment_name = environment.member("name").string_form();
    return;
  }
}

CheckContext context_of(const protocol::Assignment& assignment,
                        const std::optional<std::string>& environment_id) {
  CheckContext context;
  context.check_id = assignment.config_id.text;
  context.check_name = assignment.config_name.value_or(assignment.config_id.text);
  context.interval_seconds = assignment.interval.count();
  context.system_id = assignment.system_id.text;
  context.system_name = assignment.system_name.value_or(assignment.system_id.text);
  context.system_metadata = object_from(assignment.system_metadata_json);
  context.environment_fields = ScriptValue::object({});
  context.has_environment = environment_id.has_value();
  if (environment_id) {
    context.environment_id = *environment_id;
    describe_environment(assignment.environments_json, *environment_id, context);
  }
  return context;
}

ScriptValue scope_of(const CheckContext& context) {
  const auto text = [](const std::string& value) { return ScriptValue::text(value); };
  ScriptValue check =
      ScriptValue::object({{"id", text(context.check_id)},
                           {"name", text(context.check_name)},
                           {"intervalSeconds", ScriptValue::number(context.interval_seconds)}});
  ScriptValue system = ScriptValue::object({{"id", text(context.system_id)},
                                            {"name", text(context.system_name)},
                                            {"metadata", context.system_metadata}});
  return ScriptValue::object({{"environment", context.environment_fields},
                              {"check", std::move(check)},
                              {"system", std::move(system)}});
}

std::vector<CollectorEntry> collectors_from(const std::string& collectors_json) {
  const Json entries = Json::parse(collectors_json, nullptr, false);
  std::vector<CollectorEntry> collectors;
  if (!entries.is_array()) return collectors;
  for (const Json& entry : entries) {
    collectors.push_back({entry.value("id", std::string()),
                          entry.value("collectorId", std::string()),
                          entry.value("config", Json::object())
                              .dump(-1, ' ', false, Json::error_handler_t::replace)});
  }
  return collectors;
}

}  // namespace

CheckDefinition define_check(const protocol::Assignment& assignment,
                             const std::optional<std::string>& environment_id) {
  CheckDefinition definition;
  definition.context = context_of(assignment, environment_id);
  definition.template_scope = scope_of(definition.context);
  definition.collectors = collectors_from(assignment.collectors_json);
  return definition;
}

}  // namespace satellite::agent
