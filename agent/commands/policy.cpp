#include "agent/commands/commands.hpp"
#include "agent/commands/input.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "sandbox/policy/policy_json.hpp"

#include <iostream>
#include <nlohmann/json.hpp>
#include <vector>

namespace satellite::agent {
namespace {

std::optional<std::string> variable(const std::map<std::string, std::string>& environment,
                                    const std::string& name) {
  const auto found = environment.find(name);
  if (found == environment.end()) return std::nullopt;
  return found->second;
}

/// The identity of the shipped policy is read as the existing satellite reads it.
sandbox::Policy default_policy() {
  const auto environment = take_environment();
  return sandbox::seeded_default_policy(variable(environment, "CHECKSTACK_SANDBOX_UID"),
                                        variable(environment, "CHECKSTACK_SANDBOX_GID"));
}

int print_policy(const sandbox::Policy& policy) {
  std::cout << sandbox::to_json(policy).dump(2) << '\n';
  return exit_done;
}

int wrong(const Error& error) {
  print_error(error.message);
  return exit_wrong_usage;
}

int wrong_file(const Invocation& invocation, const Error& error) {
  print_error(name_of_input(invocation.policy_argument) + ": " + error.message);
  return exit_wrong_usage;
}

/// The policy of the file, or the shipped one, as a run on this host would get it.
int show_effective(const Invocation& invocation) {
  const auto config = local_settings(invocation);
  if (!config) return wrong(config.error());
  sandbox::ResolvedPolicy resolved{sandbox::shipped_default_policy(), false};
  if (!invocation.policy_argument.empty()) {
    const auto text = read_json_input(invocation.policy_argument, limits::policy_file_size_max);
    if (!text) return wrong(text.error());
    auto policy = sandbox::parse_policy(*text);
    if (!policy) return wrong_file(invocation, policy.error());
    resolved.policy = *std::move(policy);
  }
  resolved = policy_for_run(std::move(resolved), *config);
  auto restrictions = nlohmann::json::array();
  for (const auto& remark : resolved.remarks) restrictions.push_back(remark.note);
  const nlohmann::ordered_json answer{
      {"policy", sandbox::to_json(resolved.policy)},
      {"restrictions", std::move(restrictions)},
      {"requiredLayers", sandbox::to_json(resolved.must_hold)},
      {"requireMemoryLimit", resolved.require_memory_limit},
      {"blockedAddresses", resolved.blocked_addresses},
      {"timeoutMaxMs", config->script_timeout_max.count()},
  };
  std::cout << answer.dump(2) << '\n';
  return exit_done;
}

/// Valid for the schema, and every entry of the allowlist something a rule can be made of.
int check(const Invocation& invocation, const std::string& text) {
  const auto policy = sandbox::parse_policy(text);
  std::vector<std::string> problems;
  if (!policy) {
    problems.push_back(policy.error().message);
  } else {
    for (const auto& issue : sandbox::allow_issues(*policy)) {
      problems.push_back(sandbox::text_of(issue));
    }
  }
  if (invocation.json) {
    const nlohmann::ordered_json answer{{"valid", problems.empty()}, {"problems", problems}};
    std::cout << answer.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  } else {
    const std::string file = name_of_input(invocation.policy_argument);
    for (const std::string& problem : problems) print_error(file + ": " + problem);
    if (problems.empty()) std::cout << "valid\n";
  }
  return problems.empty() ? exit_done : exit_wrong_usage;
}

}  // namespace

int policy_command(const Invocation& invocation) {
  // Nothing but --effective uses a setting; what was given on the command line is checked all the
  // same, while the file of the service need not be readable for whoever checks a policy.
  const bool has_settings = invocation.settings_file || !invocation.options.empty();
  if (has_settings) {
    if (const auto settings = local_settings(invocation); !settings) return wrong(settings.error());
  }
  if (invocation.effective && invocation.policy_verb != "show") {
    print_error("--effective belongs to policy show");
    return exit_wrong_usage;
  }
  if (invocation.effective) return show_effective(invocation);
  if (invocation.policy_verb == "show") return print_policy(default_policy());
  if (invocation.policy_argument.empty()) {
    print_error("policy " + invocation.policy_verb + " needs a file, or - for standard input");
    return exit_wrong_usage;
  }
  const auto text = read_json_input(invocation.policy_argument, limits::policy_file_size_max);
  if (!text) return wrong(text.error());
  if (invocation.policy_verb == "check") return check(invocation, *text);
  const auto merged = sandbox::merge_policy(default_policy(), std::string_view(*text));
  return merged ? print_policy(*merged) : wrong_file(invocation, merged.error());
}

}  // namespace satellite::agent
