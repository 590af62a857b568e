#include "agent/checks/config/collector_config.hpp"
#include "agent/checks/config/config_secrets.hpp"
#include "agent/checks/config/shell_variables.hpp"
#include "agent/checks/template/template_engine.hpp"
#include "agent/schedule/expand_runs.hpp"
#include "protocol/decode.hpp"
#include "vectors/conformance_case.hpp"

#include <chrono>

namespace satellite::vectors {
namespace {

using namespace agent;

json issues_as_recorded(const std::vector<ConfigIssue>& issues) {
  auto list = json::array();
  for (const ConfigIssue& issue : issues) {
    list.push_back({{"path", issue.path}, {"code", issue.code}});
  }
  return list;
}

json judged(json parsed, const std::vector<ConfigIssue>& issues) {
  if (issues.empty()) return {{"accept", true}, {"parsed", std::move(parsed)}};
  return {{"accept", false}, {"issues", issues_as_recorded(issues)}};
}

/// What the recording keeps of a mapping; ours keeps only that there is one, since the core
/// resolves it.
void copy_mapping(const json& raw, bool wanted, json& parsed) {
  if (wanted) parsed["secretEnv"] = raw.at("secretEnv");
}

json execute_answer(const json& test_case, const json&) {
  const std::string raw = test_case.at("raw");
  const auto judgement = validate_execute_config(raw);
  const auto& config = judgement.config;
  json parsed{{"script", config.script}, {"timeout", config.timeout.count()}};
  if (config.working_directory) parsed["cwd"] = *config.working_directory;
  if (!config.environment.empty()) parsed["env"] = config.environment;
  if (judgement.issues.empty()) copy_mapping(json::parse(raw), config.wants_secrets, parsed);
  return judged(std::move(parsed), judgement.issues);
}

json inline_answer(const json& test_case, const json&) {
  const std::string raw = test_case.at("raw");
  const auto judgement = validate_inline_script_config(raw);
  const auto& config = judgement.config;
  json parsed{{"script", config.script}, {"timeout", config.timeout.count()}};
  if (judgement.issues.empty()) copy_mapping(json::parse(raw), config.wants_secrets, parsed);
  return judged(std::move(parsed), judgement.issues);
}

json judged_as_recorded(const json& test_case) {
  json recorded{{"accept", test_case.at("accept")}};
  for (const char* name : {"parsed", "issues"}) {
    if (test_case.contains(name)) recorded[name] = test_case.at(name);
  }
  return recorded;
}

json migrate_answer(const json& test_case, const json&) {
  return json::parse(migrated_execute_config(test_case.at("inText").get<std::string>()));
}

json mapping_answer(const json& test_case, const json&) {
  return {{"accept", secret_mapping_issues(test_case.at("raw").get<std::string>()).empty()}};
}

json apply_answer(const json& test_case, const json&) {
  const json& in = test_case.at("in");
  std::map<std::string, Secret> values;
  for (const auto& [path, value] : in.at("values").items()) {
    values.emplace(path, Secret(value.get<std::string>()));
  }
  const auto resolved = apply_config_secrets(in.at("config").dump(), values);
  return json::parse(resolved.json.reveal());
}

json unresolved_answer(const json& test_case, const json&) {
  return has_unresolved_secrets(test_case.at("in").dump(), SecretScan::everywhere);
}

json variables_answer(const json& test_case, const json&) {
  const auto in = nlohmann::ordered_json::parse(test_case.at("inText").get<std::string>());
  const bool is_environment = in.at("kind") == "environment";
  const auto fields = parse_script_value(in.at("fields").dump());
  if (!fields) return fields.error().message;
  const auto result =
      field_variables(is_environment ? "CHECKSTACK_ENV_" : "CHECKSTACK_SYSTEM_", *fields);
  return {{"env", result.variables}, {"collisions", result.skipped.size()}};
}

/// Through the same door as the real ones: a frame of the core.
json expand_answer(const json& test_case, const json&) {
  const json frame{{"type", "config_updated"}, {"assignments", test_case.at("in")}};
  auto message = protocol::decode(frame.dump());
  if (!message) return message.error().message;
  json runs = json::array();
  for (auto& assignment : std::get<protocol::ConfigUpdated>(*message).assignments.accepted) {
    const auto shared = std::make_shared<const protocol::Assignment>(std::move(assignment));
    for (const PlannedRun& run : expand_runs(shared)) {
      runs.push_back({{"configId", shared->config_id.text}, {"environmentId", nullptr}});
      if (run.environment_id) runs.back()["environmentId"] = *run.environment_id;
    }
  }
  return runs;
}

/// Templates see the recorded environment and the check and system of the recording's world.
json template_answer(const json& test_case, const json& file) {
  const std::string scope_text = R"({"environment":)" +
                                 file.at("environmentText").get<std::string>() +
                                 R"(,"check":{"id":"chk","name":"Check N","intervalSeconds":3600},)"
                                 R"("system":{"id":"sys-1","name":"System One",)"
                                 R"("metadata":{"owner":"team-a","tier":1,"tags":["x","y"]}}})";
  const auto scope = parse_script_value(scope_text);
  if (!scope) return scope.error().message;
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const ScriptDate now{std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
  const auto text = render_template(test_case.at("in").get<std::string>(), *scope, now);
  if (!text) return {{"err", text.error().message}};
  return {{"out", *text}};
}

json out_or_error(const json& test_case) {
  if (test_case.contains("err")) return {{"err", test_case.at("err")}};
  return {{"out", test_case.at("out")}};
}

}  // namespace

std::vector<ConformanceCase> check_conformance_cases() {
  return {{"executeCollectorConfig", execute_answer, judged_as_recorded},
          {"inlineScriptCollectorConfig", inline_answer, judged_as_recorded},
          {"executeCollectorMigrateV1", migrate_answer, out},
          {"secretEnvMappingSchema", mapping_answer, accepted_only},
          {"applyConfigSecretValues", apply_answer, out},
          {"hasUnresolvedConfigSecrets", unresolved_answer, out},
          {"shellEnvFields", variables_answer, out},
          {"expandRuns", expand_answer, out},
          {"templates", template_answer, out_or_error}};
}

}  // namespace satellite::vectors
