// The one door from JSON text to ScriptValue, apart from the rest because of its heavy include.
#include "agent/javascript/script_value.hpp"
#include "protocol/vocabulary/bounded_json.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <nlohmann/json.hpp>

namespace satellite::agent {
namespace {

using Json = nlohmann::ordered_json;

ScriptValue value_from(const Json& json) {
  if (json.is_string()) return ScriptValue::text(json.get<std::string>());
  if (json.is_boolean()) return ScriptValue::boolean(json.get<bool>());
  // Whole numbers too: JavaScript has doubles only, and scripts see their texts.
  if (json.is_number()) return ScriptValue::number(json.get<double>());
  if (json.is_array()) {
    ScriptValue::Array entries;
    entries.reserve(json.size());
    for (const Json& entry : json) entries.push_back(value_from(entry));
    return ScriptValue::array(std::move(entries));
  }
  if (!json.is_object()) return ScriptValue::null();
  ScriptValue::Object members;
  members.reserve(json.size());
  for (const auto& [key, member] : json.items()) members.emplace_back(key, value_from(member));
  return ScriptValue::object(std::move(members));
}

}  // namespace

Result<ScriptValue> parse_script_value(std::string_view json_text) {
  // Before anything recurses: depth and size come from outside.
  const auto bounded = check_bounded_json(json_text, limits::frame_after_authentication);
  if (!bounded) return bounded.error();
  const Json json = Json::parse(json_text, nullptr, false);
  if (json.is_discarded()) return Error{ErrorCode::invalid_input, "not valid JSON"};
  return value_from(json);
}

}  // namespace satellite::agent
