#pragma once

#include "agent/javascript/script_value.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// What a check's shell script is told about itself, as values.
struct CheckContext {
  std::string check_id, check_name;
  double interval_seconds = 0;
  std::string system_id, system_name;
  ScriptValue system_metadata;  ///< an object
  bool has_environment = false;
  std::string environment_id, environment_name;
  ScriptValue environment_fields;  ///< an object
};

struct ShellVariables {
  std::map<std::string, std::string> variables;
  /// Fields without a variable: their name came out empty, reserved, or was taken already.
  std::vector<std::string> skipped;
};

/// `CHECKSTACK_CHECK_*`, `CHECKSTACK_SYSTEM_*` and, with an environment, `CHECKSTACK_ENV_*`.
/// Source: core-contract 3.3.
ShellVariables shell_variables(const CheckContext& context);

/// The part for one map of custom fields; `prefix` is `CHECKSTACK_ENV_` or `CHECKSTACK_SYSTEM_`.
ShellVariables field_variables(std::string_view prefix, const ScriptValue& fields);

/// `fooBar.baz` -> `FOO_BAR_BAZ`; may be empty.
std::string variable_name_of(std::string_view key);

}  // namespace satellite::agent
