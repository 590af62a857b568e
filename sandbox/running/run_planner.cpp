#include "sandbox/running/run_planner.hpp"

#include "protocol/vocabulary/secret.hpp"
#include "sandbox/hints/first_line.hpp"
#include "sandbox/launcher/client/make_launch_order.hpp"
#include "sandbox/module/module_command.hpp"
#include "sandbox/module/module_environment.hpp"
#include "sandbox/module/module_task.hpp"

#include <unistd.h>
#include <algorithm>
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

/// The interpreter that is to read a shell script from a file; empty = `sh -c` runs it.
std::vector<std::string> chosen_interpreter(const RunRequest& request,
                                            const RunnerSettings& settings) {
  if (!settings.honours_first_line || request.language != Language::shell) return {};
  auto wanted = interpreter_of(request.script);
  const bool is_what_runs_it_anyway = wanted.name == "sh" && wanted.command.size() == 1;
  if (is_what_runs_it_anyway) return {};
  return std::move(wanted.command);
}

std::vector<std::string> script_command(const RunRequest& request, const RunnerSettings& settings) {
  auto command = chosen_interpreter(request, settings);
  auto first = request.arguments.begin();
  if (command.empty()) {
    command = {"sh", "-c", request.script};
  } else {
    command.emplace_back(long_script_path);
    if (first != request.arguments.end()) ++first;  // $0 is the file
  }
  command.insert(command.end(), first, request.arguments.end());
  return command;
}

/// What nsjail writes into a root for a run is a deleted file, whose name bun does not find.
BootstrapPlace place_of_bootstrap(const Plan& plan) {
  return plan.has_own_view && plan.engine != Engine::nsjail ? BootstrapPlace::own_root
                                                            : BootstrapPlace::argument;
}

void add_module(const RunRequest& request, const RunSlot& slot, RunInputs& inputs) {
  auto variables = module_variables(named_values(request));
  inputs.environment = std::move(variables.at_start);
  inputs.late_environment = std::move(variables.late);
  inputs.own_files = module_files(request.module);
  if (!slot.runtime) return;
  inputs.command = module_command(*slot.runtime, BootstrapPlace::own_root);
  inputs.interpreter = slot.runtime->path;
  const bool is_node = slot.runtime->kind == RuntimeKind::node;
  inputs.keeps_heap_limit = is_node;
  // Else bun keeps what it made of the bootstrap in the script's directory. The bootstrap takes the
  // variable away again.
  if (!is_node) inputs.base_environment["BUN_RUNTIME_TRANSPILER_CACHE_PATH"] = "0";
  inputs.watches_memory = true;
}

}  // namespace

bool needs_own_start(const RunRequest& request) {
  const auto is_early = [](const auto& variable) { return is_read_at_start(variable.first); };
  return std::any_of(request.environment.begin(), request.environment.end(), is_early) ||
         std::any_of(request.secret_environment.begin(), request.secret_environment.end(),
                     is_early);
}

RunPlanner::RunPlanner(Launcher& launcher, RunnerSettings settings)
    : launcher_(launcher),
      settings_(std::move(settings)),
      base_environment_(safe_base(own_environment())) {}

Decision RunPlanner::decide(const RunRequest& request, const ResolvedPolicy& policy,
                            const RunSlot& slot) const {
  RunInputs inputs;
  inputs.base_environment = base_environment_;
  const bool is_module = request.language == Language::module;
  if (is_module) {
    add_module(request, slot, inputs);
  } else {
    inputs.command = script_command(request, settings_);
    inputs.environment = named_values(request);
  }
  // With the sandbox switched off a script runs where the agent runs, as upstream; a module's text
  // needs a place in any case.
  if (policy.policy.enabled || is_module) {
    inputs.scratch_directory = launcher_.scratch_directory(slot.number);
  }
  inputs.working_directory = request.working_directory;
  inputs.default_identity = settings_.default_identity;
  inputs.has_identity_range = launcher_.identities() != nullptr;
  inputs.own_identity = slot.own_identity;
  inputs.engines = settings_.engines;
  inputs.agent_identity = Identity{::geteuid(), ::getegid()};
  if (settings_.host_view.is_for(request.kind)) inputs.host_view = settings_.host_view;
  inputs.launcher_makes_network = true;
  inputs.cpu_percent = settings_.cpu_percent;
  auto decision = build_plan(policy, facts, std::move(inputs), this_host_paths());
  if (auto* plan = std::get_if<Plan>(&decision); plan && slot.runtime) {
    plan->command = module_command(*slot.runtime, place_of_bootstrap(*plan));
    plan->promise.runtime = describe(*slot.runtime);
  }
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
  // Whoever may see the host's processes would read the scripts of all others in their commands.
  inputs.keeps_script_back = settings_.host_view.processes;
  if (request.has_standard_input) inputs.standard_input = request.standard_input;
  if (!chosen_interpreter(request, settings_).empty()) inputs.script_file = request.script;
  return make_launch_order(plan, std::move(inputs));
}

bool RunPlanner::may_use_prepared(const RunRequest& request) const {
  const HostView& view = settings_.host_view;
  return view.empty() || view.is_for(request.kind) == view.is_for(RunRequest{}.kind);
}

bool RunPlanner::may_stand() const {
  const HostView& view = settings_.host_view;
  return view.state_bytes == 0 || !view.is_for(RunRequest{}.kind);
}

Result<std::string> RunPlanner::task_for(const Plan& plan, const RunRequest& request) {
  const auto place = place_of_bootstrap(plan);
  ModuleTask task;
  task.script = script_to_run(request.script, request.module.purpose, place);
  task.context_json = request.module.context_json.reveal();
  task.environment = plan.late_environment;
  task.global_function = sdk_module_of(request.module.purpose).function_name;
  task.folder = plan.scratch_directory;
  const auto& packages = request.module.packages;
  if (packages && !plan.has_own_view) task.packages = packages->node_modules;
  auto text = module_task_text(task);
  for (auto& [name, value] : task.environment) wipe(value);
  return text;
}

Result<LaunchOrder> RunPlanner::order_of_nothing(const RunRequest& nothing,
                                                 const ResolvedPolicy& policy,
                                                 const RunSlot& slot) const {
  const auto decision = decide(nothing, policy, slot);
  if (const auto* plan = std::get_if<Plan>(&decision)) return order_for(*plan, nothing, slot);
  return Error{ErrorCode::unavailable, "this host cannot do what the policy asks for"};
}

Result<LaunchOrder> RunPlanner::order_without_task(const ResolvedPolicy& policy,
                                                   const RunSlot& slot) const {
  return order_of_nothing(RunRequest{}, policy, slot);
}

Result<LaunchOrder> RunPlanner::order_of_standing(const ResolvedPolicy& policy, const RunSlot& slot,
                                                  const std::string& node_modules) const {
  RunRequest nothing;
  nothing.language = Language::module;
  if (!node_modules.empty()) nothing.module.packages = PackageTree{node_modules, nullptr};
  return order_of_nothing(nothing, policy, slot);
}

}  // namespace satellite::sandbox
