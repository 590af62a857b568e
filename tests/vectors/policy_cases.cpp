#include "sandbox/policy/policy.hpp"
#include "sandbox/policy/policy_json.hpp"
#include "vectors/conformance_case.hpp"

namespace satellite::vectors {
namespace {

using namespace sandbox;

json issues_as_recorded(const std::vector<PolicyIssue>& issues) {
  auto list = json::array();
  for (const auto& issue : issues) {
    auto path = json::array();
    for (const auto& step : issue.path) {
      std::visit([&path](const auto& part) { path.push_back(part); }, step);
    }
    list.push_back({{"path", std::move(path)}, {"code", issue.code}});
  }
  return list;
}

json schema_answer(const json& test_case, const json&) {
  const auto raw = test_case.at("raw").get<std::string>();
  const auto policy = parse_policy(raw);
  if (policy) return {{"accept", true}, {"parsed", to_json(*policy)}};
  const auto value = json::parse(raw, nullptr, false);
  return {{"accept", false}, {"issues", issues_as_recorded(policy_issues(value))}};
}

json schema_recorded(const json& test_case) {
  json recorded{{"accept", test_case.at("accept")}};
  for (const char* name : {"parsed", "issues"}) {
    if (test_case.contains(name)) recorded[name] = test_case.at(name);
  }
  return recorded;
}

json merge_answer(const json& test_case, const json&) {
  const auto& in = test_case.at("in");
  const auto base = policy_from_json(in.at("base"));
  if (!base) return "the base is invalid";
  if (!in.at("overridePresent").get<bool>()) return {{"ok", to_json(*base)}};
  const auto merged = overlay_policy(*base, in.at("override"));
  if (merged) return {{"ok", to_json(*merged)}};
  return {{"invalid", issues_as_recorded(policy_issues(in.at("override")))}};
}

std::optional<std::string> optional_text(const json& value) {
  if (value.is_null()) return std::nullopt;
  return value.get<std::string>();
}

json seeded_privilege(const json& test_case, const json& file) {
  // The profiles stand once in the file; they are part of every answer, so that each case fails
  // when one of them moves.
  if (to_json(shipped_default_policy()) != file.at("DEFAULT_SANDBOX_PROFILE") ||
      to_json(fail_closed_policy()) != file.at("FAIL_CLOSED_SANDBOX_PROFILE")) {
    return "a profile differs";
  }
  const auto& in = test_case.at("in");
  const auto policy = seeded_default_policy(optional_text(in.at("CHECKSTACK_SANDBOX_UID")),
                                            optional_text(in.at("CHECKSTACK_SANDBOX_GID")));
  return to_json(policy).at("privilege");
}

}  // namespace

std::vector<ConformanceCase> policy_conformance_cases() {
  return {{"sandboxPolicySchema", schema_answer, schema_recorded},
          {"mergeSandboxPolicy", merge_answer, out},
          {"resolveDefaultSandboxProfile.privilege", seeded_privilege, out}};
}

}  // namespace satellite::vectors
