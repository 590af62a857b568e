# What is checked and how: pure but for script_check and secret_fetch.
target_sources(satellite_agent PRIVATE
  checks/check_definition.cpp
  checks/check_result.cpp
  checks/collector_config.cpp
  checks/collector_end.cpp
  checks/config_secrets.cpp
  checks/script_date.cpp
  checks/script_value.cpp
  checks/script_value_json.cpp
  checks/script_check.cpp
  checks/script_slots.cpp
  checks/secret_fetch.cpp
  checks/secret_reference.cpp
  checks/shell_collector.cpp
  checks/shell_variables.cpp
  checks/template_engine.cpp
  checks/template_filters.cpp
  checks/template_lexer.cpp
  checks/template_syntax.cpp
  checks/unicode_case.cpp
)
