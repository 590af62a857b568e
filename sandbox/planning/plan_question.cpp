#include "sandbox/planning/plan_question.hpp"

#include "protocol/vocabulary/json_fields.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "sandbox/planning/build_plan.hpp"
#include "sandbox/planning/describe_plan.hpp"
#include "sandbox/planning/upstream_command_lines.hpp"
#include "sandbox/policy/policy_json.hpp"
#include "sandbox/report/report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

namespace satellite::sandbox {
namespace {

using nlohmann::json;

constexpr JsonBounds bounds{limits::script_size_max + limits::environment_size_max, 32, 100'000};

Error wrong_member(const std::string& member, const std::string& problem) {
  return Error{ErrorCode::invalid_input, member + ": " + problem};
}

/// A member that is text, or its absence.
Result<std::optional<std::string>> text_member(const json& question, const char* name) {
  const auto found = question.find(name);
  if (found == question.end() || found->is_null()) return std::optional<std::string>{};
  if (!found->is_string()) return wrong_member(name, "is not a string");
  return std::optional<std::string>{found->get<std::string>()};
}

/// `engines` narrows down what the operator lets be used; what it names beyond stays missing.
Result<void> engines_of(const json& question, std::vector<Engine>& engines) {
  const auto found = question.find("engines");
  if (found == question.end()) return {};
  if (!found->is_array()) return wrong_member("engines", "is not a list");
  const auto known = all_engines();
  std::vector<Engine> chosen;
  for (const auto& word : *found) {
    const auto named = std::find_if(known.begin(), known.end(), [&](Engine engine) {
      return word.is_string() && word.get<std::string>() == name_of(engine);
    });
    if (named == known.end()) {
      return wrong_member("engines", "holds something else than native, bwrap or nsjail");
    }
    const bool may_be_used = std::find(engines.begin(), engines.end(), *named) != engines.end();
    if (may_be_used) chosen.push_back(*named);
  }
  engines = std::move(chosen);
  return {};
}

Result<RunInputs> inputs_of(const json& question, const std::vector<Engine>& engines) {
  RunInputs inputs;
  inputs.engines = engines;
  inputs.launcher_makes_network = true;
  for (const auto& [name, target] :
       {std::pair{"cwd", &inputs.working_directory}, {"scratchDir", &inputs.scratch_directory}}) {
    auto text = text_member(question, name);
    if (!text) return text.error();
    *target = *std::move(text);
  }
  // Every run has one; its name is made when it starts.
  if (!inputs.scratch_directory) inputs.scratch_directory = "/tmp/checkstack-shell-example";
  auto script = text_member(question, "script");
  if (!script) return script.error();
  inputs.command = {"sh", "-c", script->value_or("true")};
  if (const auto command = question.find("command"); command != question.end()) {
    if (!command->is_array() || command->empty())
      return wrong_member("command", "is not a list of words");
    inputs.command.clear();
    for (const auto& word : *command) {
      if (!word.is_string()) return wrong_member("command", "holds something that is not a string");
      inputs.command.push_back(word.get<std::string>());
    }
  }
  if (auto chosen = engines_of(question, inputs.engines); !chosen) return chosen.error();
  if (const auto environment = question.find("env"); environment != question.end()) {
    if (!environment->is_object()) return wrong_member("env", "is not an object");
    for (const auto& [name, value] : environment->items()) {
      if (!value.is_string()) return wrong_member("env", "holds a value that is not a string");
      inputs.environment.emplace_back(name, value.get<std::string>());
    }
  }
  return inputs;
}

const char* word_of(Resource resource) {
  switch (resource) {
    case Resource::cpu_seconds:
      return "cpuSeconds";
    case Resource::open_files:
      return "maxOpenFiles";
    case Resource::processes:
      return "maxProcesses";
    case Resource::file_size:
      return "maxFileSizeBytes";
  }
  return "";
}

json answer_of(const Decision& decision) {
  json answer;
  std::istringstream lines(describe_plan(decision));
  answer["steps"] = json::array();
  for (std::string line; std::getline(lines, line);) answer["steps"].push_back(line);
  if (const auto* refusal = std::get_if<Refusal>(&decision)) {
    answer["decision"] = "refuse";
    answer["reason"] = refusal_text(refusal->promise.downgrades);
    answer["sandbox"] = to_json(refusal->promise);
    return answer;
  }
  const Plan& plan = std::get<Plan>(decision);
  answer["decision"] = "run";
  answer["commandLine"] = upstream_command_line(plan);
  answer["env"] = plan.environment;
  answer["droppedEnv"] = plan.dropped_environment;
  answer["limits"] = json::object();
  for (const auto& setting : plan.resource_settings) {
    answer["limits"][word_of(setting.resource)] = setting.value;
  }
  if (plan.output_size_max) answer["limits"]["maxOutputBytes"] = plan.output_size_max->value;
  if (plan.identity) {
    answer["identity"] = {{"uid", plan.identity->uid}, {"gid", plan.identity->gid}};
  }
  if (plan.nft_text) answer["packetFilter"] = *plan.nft_text;
  answer["sandbox"] = to_json(plan.promise);
  return answer;
}

}  // namespace

Result<std::string> answer_plan_question(std::string_view text,
                                         const std::function<HostFacts()>& this_host,
                                         OperatorsWord word, const std::vector<Engine>& engines,
                                         const HostView& host_view) {
  const auto question = parse_bounded_json(text, bounds);
  if (!question) return question.error();
  if (!question->is_object()) return wrong_member("question", "is not a JSON object");
  ResolvedPolicy resolved{shipped_default_policy(), false};
  if (const auto policy = question->find("policy"); policy != question->end()) {
    auto parsed = policy_from_json(*policy);
    if (!parsed) return parsed.error();
    resolved.policy = *std::move(parsed);
  }
  const auto caps = question->find("caps");
  auto facts =
      caps == question->end() ? Result<HostFacts>(this_host()) : host_facts_from_json(*caps);
  if (!facts) return wrong_member("caps", facts.error().message);
  auto inputs = inputs_of(*question, engines);
  if (!inputs) return inputs.error();
  if (host_view.is_for(RunKind::health_check)) inputs->host_view = host_view;
  word.supervisor_is_root = facts->euid_is_root;
  resolved = apply_operators_word(std::move(resolved), word);
  if (word.identity.uid != 0) inputs->default_identity = word.identity;
  offer_from(word.identity_range, *inputs);
  const Decision decision = build_plan(resolved, *facts, *std::move(inputs), this_host_paths());
  return answer_of(decision).dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace satellite::sandbox
