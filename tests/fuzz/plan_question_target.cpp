#include "sandbox/planning/operators_word.hpp"
#include "sandbox/planning/plan_question.hpp"
#include "tests/fuzz/promises.hpp"
#include "tests/fuzz/targets.hpp"

#include <nlohmann/json.hpp>

namespace satellite::fuzz {

using namespace satellite::sandbox;
using nlohmann::json;

Broken check_plan_question_target(std::string_view input) {
  // A host that can do everything, so that every part of a plan is made.
  const auto this_host = [] {
    HostFacts facts;
    facts.euid_is_root = facts.user_namespaces = facts.user_ns_creatable = true;
    facts.net_namespaces = facts.net_egress_rootless = true;
    facts.launcher_drops_privilege = facts.launcher_sets_rlimits = facts.native_engine = true;
    facts.cgroup_memory = facts.cgroup_pids = facts.cgroup_cpu = true;
    return facts;
  };
  OperatorsWord word;
  word.supervisor_is_root = true;
  word.identity = {65'532, 65'532};
  const auto answer = answer_plan_question(input, this_host, word);
  if (!answer) return unless_fit_for_log(answer.error(), 8192);
  const json said = json::parse(*answer, nullptr, false);
  if (!said.is_object()) return "an answer that is no JSON";
  const auto decision = said.find("decision");
  if (decision == said.end() || (*decision != "run" && *decision != "refuse")) {
    return "an answer without a decision";
  }
  if (!said.contains("sandbox") || !said.contains("steps")) return "an answer without its parts";
  return std::nullopt;
}

}  // namespace satellite::fuzz
