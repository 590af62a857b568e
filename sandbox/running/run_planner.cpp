#include "sandbox/running/run_planner.hpp"

#include "sandbox/launcher/client/make_launch_order.hpp"

#include <unistd.h>
#include <string_view>

namespace satellite::sandbox {
namespace {

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

NamedValues named_values(const RunRequest& request) {
  NamedValues values(request.environment.begin(), request.environment.end());
  for (const auto& [name, secret] : request.secret_environment) {
    values.emplace_back(name, std::string(secret.reveal()));
  }
  return values;
}

}  // namespace

RunPlanner::RunPlanner(Launcher& launcher, RunnerSettings settings)
    : launcher_(launcher),
      settings_(std::move(settings)),
      base_environment_(safe_base(own_environment())) {}

Decision RunPlanner::decide(const RunRequest& request, const ResolvedPolicy& policy,
                            const RunSlot& slot) const {
  RunInputs inputs;
  inputs.command = {"sh", "-c", request.script};
  inputs.base_environment = base_environment_;
  inputs.environment = named_values(request);
  // With the sandbox switched off a script runs where the agent runs, as upstream.
  if (policy.policy.enabled) {
    inputs.scratch_directory = launcher_.scratch_directory(slot.number);
  }
  inputs.working_directory = request.working_directory;
  inputs.default_identity = settings_.default_identity;
  inputs.has_identity_range = launcher_.identities() != nullptr;
  inputs.own_identity = slot.own_identity;
  inputs.engines = settings_.engines;
  inputs.agent_identity = Identity{::geteuid(), ::getegid()};
  inputs.launcher_makes_network = true;
  inputs.cpu_percent = settings_.cpu_percent;
  auto decision = build_plan(policy, facts, std::move(inputs), this_host_paths());
  if (request.longer_timeout) {
    auto& promise = std::holds_alternative<Plan>(decision) ? std::get<Plan>(decision).promise
                                                           : std::get<Refusal>(decision).promise;
    promise.notes.push_back({Layer::resources, "restricted by the operator: the timeout of " +
                                                   std::to_string(request.longer_timeout->count()) +
                                                   " ms became " +
                                                   std::to_string(request.timeout.count()) +
                                                   " ms (operator.timeout_max)"});
  }
  return decision;
}

Result<LaunchOrder> RunPlanner::order_for(const Plan& plan, const RunRequest& request,
                                          const RunSlot& slot) const {
  OrderInputs inputs;
  inputs.run_number = slot.number;
  inputs.language = request.language;
  if (request.has_standard_input) inputs.standard_input = request.standard_input;
  return make_launch_order(plan, std::move(inputs));
}

Result<LaunchOrder> RunPlanner::order_without_task(const ResolvedPolicy& policy,
                                                   const RunSlot& slot) const {
  const RunRequest nothing;
  const auto decision = decide(nothing, policy, slot);
  if (const auto* plan = std::get_if<Plan>(&decision)) return order_for(*plan, nothing, slot);
  return Error{ErrorCode::unavailable, "this host cannot do what the policy asks for"};
}

}  // namespace satellite::sandbox
