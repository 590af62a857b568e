#include "sandbox/launcher/client/make_launch_order.hpp"

#include "sandbox/planning/packet_filter.hpp"

#include <algorithm>
#include <utility>

namespace satellite::sandbox {
namespace {

bool holds_nul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

bool is_shell_script(const std::vector<std::string>& command) {
  return command.size() >= 3 && command[0] == "sh" && command[1] == "-c";
}

Error nul_in(std::string_view what) {
  return Error{ErrorCode::invalid_input,
               std::string(what) + " holds a NUL byte, which no command line can carry"};
}

Result<void> check_arguments(const Plan& plan) {
  for (const auto* arguments : {&plan.wrapper, &plan.command}) {
    if (std::any_of(arguments->begin(), arguments->end(), holds_nul)) {
      return nul_in(arguments == &plan.command ? "the script" : "the working directory");
    }
  }
  if (holds_nul(plan.working_directory.value_or(""))) return nul_in("the working directory");
  if (holds_nul(plan.scratch_directory)) return nul_in("the scratch directory");
  return {};
}

}  // namespace

Expectation expectation_of(const Plan& plan) {
  const EffectiveSandbox& promise = plan.promise;
  const bool wrapped = plan.engine != Engine::none;
  Expectation expectation;
  expectation.own_namespaces = wrapped;
  const bool native = plan.engine == Engine::native;
  // Made by root, the namespaces belong to the host's own user namespace, out of the script's
  // reach.
  expectation.own_user_namespace = wrapped && !(native && plan.native->root_owned);
  expectation.filtered_calls = wrapped;
  expectation.bare_of_privilege = wrapped;
  // nsjail cannot make its root refuse set-user-id files; that it is read-only shows by its size
  // not being among those that take writes.
  expectation.sealed_root = plan.has_own_view && plan.engine != Engine::nsjail;
  expectation.memory_sizes = plan.memory_sizes;
  expectation.own_network = wrapped && plan.egress != Egress::host;
  // Without an uplink nsjail's own user namespace has both: the script, and a network of nothing.
  expectation.network_out_of_reach = expectation.own_network && (plan.engine != Engine::nsjail ||
                                                                 plan.egress != Egress::routeless);
  expectation.routeless = wrapped && plan.egress == Egress::routeless;
  expectation.confined_filesystem =
      wrapped && promise.requested.filesystem.mode != FilesystemMode::off;
  expectation.not_host_root = promise.enforced.privilege;
  expectation.identity = plan.identity;
  expectation.resource_settings = plan.resource_settings;
  if (plan.packet_filter &&
      (plan.egress == Egress::macvlan || plan.egress == Egress::slirp4netns)) {
    expectation.uplink =
        plan.egress == Egress::macvlan ? macvlan_uplink_name : slirp4netns_uplink_name;
    expectation.filter_rules = static_cast<std::uint32_t>(plan.packet_filter->rules.size());
  }
  expectation.cgroup = plan.cgroup;
  expectation.disks = plan.disks;
  expectation.shows_processes = plan.native && plan.native->shows_processes;
  expectation.init_uid = plan.init_uid;
  return expectation;
}

Result<LaunchOrder> make_launch_order(const Plan& plan, OrderInputs inputs) {
  if (auto checked = check_arguments(plan); !checked) return checked.error();
  LaunchOrder order;
  static_cast<PlannedRun&>(order) = plan;
  order.run_number = inputs.run_number;
  order.standard_input = std::move(inputs.standard_input);
  order.is_module = inputs.language == Language::module;
  order.expectation = expectation_of(plan);
  if (!order.expectation.uplink.empty()) {
    order.network = NetworkOrder{plan.egress, *plan.packet_filter, plan.loopback_ports};
  } else if (order.expectation.routeless &&
             (plan.engine == Engine::bwrap || !plan.loopback_ports.empty())) {
    order.network = NetworkOrder{Egress::routeless, {}, plan.loopback_ports};
  }

  auto environment = plan.environment;
  if (inputs.language == Language::module && plan.module_memory_environment) {
    for (const auto& [name, value] : *plan.module_memory_environment) environment[name] = value;
  }
  order.environment.assign(std::make_move_iterator(environment.begin()),
                           std::make_move_iterator(environment.end()));

  order.long_script = std::move(inputs.script_file);
  for (const auto& argument : order.command) {
    const bool is_script = is_shell_script(plan.command) && &argument == &order.command[2];
    const bool is_kept_back = is_script && inputs.keeps_script_back;
    if (argument.size() <= argument_size_max.value && !is_kept_back) continue;
    if (!is_script) {
      return Error{ErrorCode::limit_exceeded, "a command argument of " +
                                                  std::to_string(argument.size()) +
                                                  " bytes is longer than execve can pass"};
    }
    // The redirection goes on the script's first line, so that line numbers in messages hold.
    order.long_script = "exec 3<&-;" + argument;
    order.command[2] = ". " + std::string(long_script_path);
    break;
  }
  return order;
}

}  // namespace satellite::sandbox
