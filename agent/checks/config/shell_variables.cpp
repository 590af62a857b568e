#include "agent/checks/config/shell_variables.hpp"

#include "agent/javascript/javascript_text.hpp"
#include "agent/javascript/unicode_case.hpp"

namespace satellite::agent {
namespace {

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

std::string value_text(const ScriptValue& value) {
  if (value.is_null() || value.is_undefined()) return {};
  return value.as_array() != nullptr || value.as_object() != nullptr ? value.json()
                                                                     : value.string_form();
}

void add_fields(std::string_view prefix, const ScriptValue& fields, ShellVariables& into) {
  if (fields.as_object() == nullptr) return;
  for (const auto& [key, value] : *fields.as_object()) {
    const std::string name = variable_name_of(key);
    const bool usable = !name.empty() && name != "ID" && name != "NAME";
    const bool added =
        usable && into.variables.emplace(std::string(prefix) + name, value_text(value)).second;
    if (!added) into.skipped.push_back(key);
  }
}

}  // namespace

std::string variable_name_of(std::string_view key) {
  std::string split;
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (i > 0 && is_upper(key[i]) && is_lower_or_digit(key[i - 1])) split += '_';
    split += key[i];
  }
  std::string name;
  bool gap = false;
  for (const char c : upper_case(split)) {
    if (!is_upper(c) && !(c >= '0' && c <= '9')) {
      gap = true;
      continue;
    }
    if (gap && !name.empty()) name += '_';
    gap = false;
    name += c;
  }
  return name;
}

ShellVariables field_variables(std::string_view prefix, const ScriptValue& fields) {
  ShellVariables result;
  add_fields(prefix, fields, result);
  return result;
}

ShellVariables shell_variables(const CheckContext& context) {
  ShellVariables result;
  auto& variables = result.variables;
  variables["CHECKSTACK_CHECK_ID"] = context.check_id;
  variables["CHECKSTACK_CHECK_NAME"] = context.check_name;
  variables["CHECKSTACK_CHECK_INTERVAL_SECONDS"] = javascript_number_text(context.interval_seconds);
  variables["CHECKSTACK_SYSTEM_ID"] = context.system_id;
  variables["CHECKSTACK_SYSTEM_NAME"] = context.system_name;
  add_fields("CHECKSTACK_SYSTEM_", context.system_metadata, result);
  if (context.has_environment) {
    variables["CHECKSTACK_ENV_ID"] = context.environment_id;
    variables["CHECKSTACK_ENV_NAME"] = context.environment_name;
    add_fields("CHECKSTACK_ENV_", context.environment_fields, result);
  }
  return result;
}

}  // namespace satellite::agent
