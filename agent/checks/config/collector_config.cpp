// The core stores what its editor sent and hands it on as it is; its own executor migrates,
// defaults and validates before every run, and so do we.
#include "agent/checks/config/collector_config.hpp"

#include "agent/checks/config/secret_reference.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace satellite::agent {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t variable_name_size_max = 128;
constexpr double safe_integer_max = 9'007'199'254'740'991;

using Timeout = std::chrono::duration<double, std::milli>;

/// The bounds of a `timeout` in milliseconds.
struct TimeoutRule {
  double otherwise, min, max;
  bool whole;
};
constexpr TimeoutRule execute_timeout{30'000, 100, 300'000, true};
constexpr TimeoutRule inline_timeout{10'000, 1'000, 60'000, false};

Json parsed(std::string_view text) {
  return Json::parse(text, nullptr, false);
}

std::string config_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool is_shell_safe(std::string_view word) {
  constexpr std::string_view safe = "_-./=:@%+";
  return std::all_of(word.begin(), word.end(), [safe](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           safe.find(c) != std::string_view::npos;
  });
}

/// One word of a POSIX shell: as it is where that is safe, else in single quotes.
std::string quoted_word(const std::string& word) {
  if (!word.empty() && is_shell_safe(word)) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted += '\'';
}

Json migrated(Json config) {
  if (!config.is_object() || !config.contains("command") || config.contains("script")) {
    return config;
  }
  Json next = Json::object();
  const Json& command = config["command"];
  std::string script = quoted_word(command.is_string() ? command.get<std::string>() : "");
  if (config.contains("args") && config["args"].is_array()) {
    for (const Json& word : config["args"]) {
      if (word.is_string()) script += " " + quoted_word(word.get<std::string>());
    }
  }
  next["script"] = std::move(script);
  if (config.contains("cwd") && config["cwd"].is_string()) next["cwd"] = config["cwd"];
  if (config.contains("env") && config["env"].is_object()) {
    Json environment = Json::object();
    for (const auto& [name, value] : config["env"].items()) {
      if (value.is_string()) environment[name] = value;
    }
    next["env"] = std::move(environment);
  }
  const bool has_timeout = config.contains("timeout") && config["timeout"].is_number();
  next["timeout"] = has_timeout ? config["timeout"] : Json(execute_timeout.otherwise);
  return next;
}

bool is_variable_name(std::string_view name) {
  const auto belongs = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= variable_name_size_max &&
         !(name.front() >= '0' && name.front() <= '9') &&
         std::all_of(name.begin(), name.end(), belongs);
}

class Validator {
 public:
  explicit Validator(const Json& config) : config_(config) {
    if (!config.is_object()) issues_.push_back({{}, "invalid_type"});
  }

  std::string required_text(const char* name) {
    if (!config_.is_object()) return {};
    if (config_.contains(name) && config_[name].is_string()) return config_[name];
    issues_.push_back({{name}, "invalid_type"});
    return {};
  }

  std::optional<std::string> optional_text(const char* name) {
    if (!has(name)) return std::nullopt;
    return required_text(name);
  }

  std::map<std::string, std::string> text_map(const char* name) {
    std::map<std::string, std::string> texts;
    if (!has(name)) return texts;
    if (!config_[name].is_object()) {
      issues_.push_back({{name}, "invalid_type"});
      return texts;
    }
    for (const auto& [key, value] : config_[name].items()) {
      if (value.is_string()) {
        texts.insert_or_assign(key, value.get<std::string>());
      } else {
        issues_.push_back({{name, key}, "invalid_type"});
      }
    }
    return texts;
  }

  bool secrets(const char* name) {
    if (!has(name)) return false;
    for (ConfigIssue& issue : mapping_issues(config_[name])) {
      issue.path.insert(issue.path.begin(), name);
      issues_.push_back(std::move(issue));
    }
    return config_[name].is_object() && !config_[name].empty();
  }

  /// The usable ones of a mapping that was checked already.
  std::map<std::string, std::string> references(const char* name) const {
    std::map<std::string, std::string> texts;
    if (!has(name) || !config_[name].is_object()) return texts;
    for (const auto& [key, reference] : config_[name].items()) {
      if (reference.is_string()) texts.insert_or_assign(key, reference.get<std::string>());
    }
    return texts;
  }

  Timeout timeout(const TimeoutRule& rule) {
    if (!has("timeout")) return Timeout(rule.otherwise);
    const Json& value = config_["timeout"];
    const double number = value.is_number() ? value.get<double>() : std::nan("");
    if (!std::isfinite(number) || (rule.whole && number != std::floor(number))) {
      issues_.push_back({{"timeout"}, "invalid_type"});
    } else if (number < rule.min) {
      issues_.push_back({{"timeout"}, "too_small"});
    } else if (number > rule.max || number > safe_integer_max) {
      issues_.push_back({{"timeout"}, "too_big"});
    } else {
      return Timeout(number);
    }
    return Timeout(rule.otherwise);
  }

  static std::vector<ConfigIssue> mapping_issues(const Json& mapping) {
    if (!mapping.is_object()) return {{{}, "invalid_type"}};
    std::vector<ConfigIssue> issues;
    for (const auto& [name, reference] : mapping.items()) {
      if (!is_variable_name(name)) issues.push_back({{name}, "invalid_key"});
      const bool usable = reference.is_string() &&
                          (is_secret_name(reference.get_ref<const std::string&>()) ||
                           holds_secret_reference(reference.get_ref<const std::string&>()));
      if (!usable) issues.push_back({{name}, "invalid_union"});
    }
    return issues;
  }

  std::vector<ConfigIssue> take_issues() { return std::move(issues_); }

 private:
  bool has(const char* name) const { return config_.is_object() && config_.contains(name); }

  const Json& config_;
  std::vector<ConfigIssue> issues_;
};

}  // namespace

ConfigValidation<ExecuteConfig> validate_execute_config(std::string_view config_json) {
  const Json config = migrated(parsed(config_json));
  Validator validator(config);
  ConfigValidation<ExecuteConfig> validation;
  validation.config.script = validator.required_text("script");
  validation.config.working_directory = validator.optional_text("cwd");
  validation.config.environment = validator.text_map("env");
  validation.config.wants_secrets = validator.secrets("secretEnv");
  validation.config.secret_references = validator.references("secretEnv");
  // A whole number of milliseconds: its rule says so.
  validation.config.timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(validator.timeout(execute_timeout));
  validation.issues = validator.take_issues();
  return validation;
}

ConfigValidation<InlineScriptConfig> validate_inline_script_config(std::string_view config_json) {
  const Json config = parsed(config_json);
  Validator validator(config);
  ConfigValidation<InlineScriptConfig> validation;
  validation.config.script = validator.required_text("script");
  validation.config.wants_secrets = validator.secrets("secretEnv");
  validation.config.secret_references = validator.references("secretEnv");
  validation.config.timeout = validator.timeout(inline_timeout);
  validation.issues = validator.take_issues();
  return validation;
}

std::string migrated_execute_config(std::string_view config_json) {
  return config_text(migrated(parsed(config_json)));
}

std::vector<ConfigIssue> secret_mapping_issues(std::string_view mapping_json) {
  return Validator::mapping_issues(parsed(mapping_json));
}

std::string issue_text(const std::vector<ConfigIssue>& issues) {
  std::string text;
  for (const ConfigIssue& issue : issues) {
    if (!text.empty()) text += "; ";
    for (std::size_t i = 0; i < issue.path.size(); ++i) {
      // Below the first level the names are somebody's own and may be long or secret.
      text += i == 0 ? issue.path[i] : ".…";
    }
    text += (issue.path.empty() ? "" : ": ") + issue.code;
  }
  return text;
}

}  // namespace satellite::agent
