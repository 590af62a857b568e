#pragma once

#include "protocol/vocabulary/result.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::agent {

/// One rule that a stored configuration breaks, in the words of the core's own validation.
struct ConfigIssue {
  std::vector<std::string> path;
  std::string code;  ///< `invalid_type`, `too_small`, `too_big`, `invalid_union`, `invalid_key`
  bool operator==(const ConfigIssue&) const = default;
};

/// `healthcheck-script.execute`, ready to run: migrated, defaulted, within bounds.
struct ExecuteConfig {
  std::string script;
  std::optional<std::string> working_directory;  ///< not rendered yet
  std::map<std::string, std::string> environment;
  bool wants_secrets = false;  ///< a secretEnv with at least one entry
  /// Variables to the texts with references that the core makes their values of.
  std::map<std::string, std::string> secret_references;
  std::chrono::milliseconds timeout{30'000};
};

/// `healthcheck-script.inline-script`, the same.
struct InlineScriptConfig {
  std::string script;
  bool wants_secrets = false;
  std::map<std::string, std::string> secret_references;
  std::chrono::duration<double, std::milli> timeout{10'000};  ///< may be a fraction
};

/// What comes of a configuration: the value, or every rule it breaks (never both).
template <typename Config>
struct ConfigValidation {
  Config config;
  std::vector<ConfigIssue> issues;
};

/// Stored JSON text -> validation. Unknown members are ignored, as the core strips them.
/// Source: core-contract 3.2.
ConfigValidation<ExecuteConfig> validate_execute_config(std::string_view config_json);
ConfigValidation<InlineScriptConfig> validate_inline_script_config(std::string_view config_json);

/// Version 1 (`command`, `args`) -> version 2 (`script`); anything else comes back as it is.
std::string migrated_execute_config(std::string_view config_json);

/// A map of variable names to references of secrets: which rules it breaks.
std::vector<ConfigIssue> secret_mapping_issues(std::string_view mapping_json);

/// `script: invalid_type; timeout: too_small`: paths and rules, never a value.
std::string issue_text(const std::vector<ConfigIssue>& issues);

}  // namespace satellite::agent
