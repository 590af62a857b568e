#include "sandbox/probe.hpp"

#include "sandbox/build_plan.hpp"
#include "sandbox/launcher/launcher_link.hpp"
#include "sandbox/launcher/setup_steps.hpp"
#include "sandbox/planning/make_launch_order.hpp"
#include "sandbox/probe_egress.hpp"
#include "sandbox/probing/probing.hpp"
#include "sandbox/probing/remedies.hpp"
#include "sandbox/running/ending.hpp"

#include <unistd.h>
#include <string>
#include <string_view>

namespace satellite::sandbox {
namespace {

constexpr Identity overflow_identity{65'534, 65'534};

/// The default policy's own plan, as if everything worked: whether it does is what we find out.
Result<LaunchOrder> confined_trial(const Probing& probing, Engine engine) {
  const auto& [launcher, identity, facts] = probing;
  HostFacts hoped = facts;
  hoped.native_engine = engine == Engine::native;
  hoped.wrapper = engine == Engine::bwrap ? Wrapper::bwrap : Wrapper::none;
  hoped.user_namespaces = hoped.user_ns_creatable = hoped.net_namespaces = true;
  hoped.launcher_sets_rlimits = true;
  hoped.launcher_drops_privilege = facts.euid_is_root;
  return trial_order(launcher, hoped, shipped_default_policy(), identity);
}

void probe_launcher(Probing& probing) {
  HostFacts& facts = probing.facts;
  const std::string problem = problem_of_trial(probing.launcher.try_order(bare_trial(probing)));
  facts.launcher_sets_rlimits = problem.empty();
  facts.launcher_drops_privilege = problem.empty() && facts.euid_is_root;
  probing.add("resource_limits", facts.launcher_sets_rlimits,
              problem.empty() ? "set and read back by the launcher" : problem,
              "look at the limits of the satellite's service (LimitNOFILE=)");
  std::string detail = problem;
  if (problem.empty()) {
    detail = facts.euid_is_root
                 ? "changed to " + std::to_string(probing.identity->uid) + " and read back"
                 : "the satellite is not root: scripts run as its own user";
  }
  probing.add("privilege_drop", facts.launcher_drops_privilege || !facts.euid_is_root, detail,
              "give the satellite's service CAP_SETUID and CAP_SETGID, or an unprivileged user");
}

/// What an operator can do about a trial that did not reach its script.
std::string_view remedy_of(const std::optional<LauncherRecord>& end) {
  constexpr std::string_view otherwise =
      "see the step that failed; until it works bubblewrap is used where it is installed";
  if (!end) return otherwise;
  const auto* const failure = std::get_if<RunSetupFailed>(&end->event);
  if (failure == nullptr) return otherwise;
  const auto hint = operator_hint(failure->step, failure->error_number);
  return hint.empty() ? otherwise : hint;
}

void probe_native(Probing& probing) {
  const auto order = confined_trial(probing, Engine::native);
  std::optional<LauncherRecord> end;
  if (order) end = probing.launcher.try_order(*order);
  const std::string problem = order ? problem_of_trial(end) : order.error().message;
  probing.facts.native_engine = problem.empty();
  probing.add("native_engine", probing.facts.native_engine,
              problem.empty() ? "a script ran under every layer, measured at its barrier" : problem,
              remedy_of(end));
}

void probe_namespaces(Probing& probing, bool wrapper_works) {
  std::optional<LauncherRecord> end;
  std::string problem;
  if (!wrapper_works) {
    end = probing.launcher.try_namespaces(probing.identity);
    problem = problem_of_trial(end);
  }
  const bool creatable = problem.empty();
  HostFacts& facts = probing.facts;
  facts.user_namespaces = facts.user_ns_creatable = creatable;
  facts.net_namespaces = creatable && wrapper_works;
  if (creatable) {
    return probing.add("user_namespaces", true,
                       "created, with a network namespace and a mount inside", {});
  }
  const auto* failure = end ? std::get_if<RunSetupFailed>(&end->event) : nullptr;
  const bool mounting = failure != nullptr && failure->step == SetupStep::mount;
  const auto primitive = mounting ? Primitive::mount_in_namespace : Primitive::user_namespace;
  probing.add("user_namespaces", false, problem,
              remedy_for(primitive, error_number_of(end), read_host_signs()));
}

void probe_wrapper(Probing& probing) {
  HostFacts& facts = probing.facts;
  facts.wrapper_path = find_program("bwrap");
  std::string problem = "bwrap is not on PATH";
  if (!facts.wrapper_path.empty()) {
    const auto order = confined_trial(probing, Engine::bwrap);
    problem = order ? problem_of_trial(probing.launcher.try_order(*order)) : order.error().message;
  }
  const bool works = problem.empty();
  if (works) facts.wrapper = Wrapper::bwrap;
  probing.add(
      "wrapper", works, works ? facts.wrapper_path : problem,
      facts.wrapper_path.empty()
          ? "install bubblewrap"
          : "see user_namespaces; bubblewrap must be allowed to make namespaces and mounts");
  probe_namespaces(probing, works);
}

}  // namespace

Identity identity_of_trials(const ProbeSettings& settings) {
  return settings.default_identity.value_or(overflow_identity);
}

std::string problem_of_trial(const std::optional<LauncherRecord>& end) {
  if (!end) return "the launcher did not answer in time";
  RunResult result;
  describe_end(result, *end, StopReason::none);
  if (result.outcome == Outcome::exited && result.exit_code == 0) return {};
  if (result.error) return *result.error;
  return "the trial command ended with " + std::to_string(result.exit_code);
}

Result<LaunchOrder> trial_order(Launcher& launcher, const HostFacts& hoped, const Policy& policy,
                                const std::optional<Identity>& identity) {
  OrderInputs order_inputs;
  order_inputs.run_number = launcher.next_run_number();
  RunInputs inputs;
  inputs.command = {"true"};
  inputs.scratch_directory =
      launcher.scratch_area() + "/run-" + std::to_string(order_inputs.run_number);
  inputs.default_identity = identity;
  inputs.agent_identity = Identity{::geteuid(), ::getegid()};
  inputs.launcher_makes_network = true;
  const auto decision = build_plan({policy, false}, hoped, std::move(inputs), host_world());
  if (const auto* refusal = std::get_if<Refusal>(&decision)) {
    return Error{ErrorCode::unsupported, refusal_text(refusal->promise.downgrades)};
  }
  auto order = make_launch_order(std::get<Plan>(decision), std::move(order_inputs));
  if (order && !order->wrapper.empty()) order->wrapper.front() = hoped.wrapper_path;
  return order;
}

HostFacts probe_host(Launcher& launcher, const ProbeSettings& settings) {
  HostFacts facts;
  facts.euid_is_root = launcher.is_root();
  facts.has_prlimit = !find_program("prlimit").empty();
  facts.rlimit_native = facts.has_prlimit;
  std::optional<Identity> identity;
  if (facts.euid_is_root) identity = identity_of_trials(settings);
  Probing probing{launcher, identity, facts};
  probe_launcher(probing);
  probe_cgroup(probing);
  probe_native(probing);
  probe_wrapper(probing);
  if (settings.tries_egress) {
    probe_egress(launcher, settings, facts);
  } else {
    leave_egress_untried(facts);
  }
  return facts;
}

HostFacts examine_host(Launcher& launcher, const ProbeSettings& settings) {
  HostFacts facts = probe_host(launcher, settings);
  Probing probing{launcher, std::nullopt, facts};
  probe_identity(probing);
  probe_seccomp(probing);
  probe_landlock(probing);
  probe_wrapper_programs(probing);
  probe_javascript_runtimes(probing);
  return facts;
}

}  // namespace satellite::sandbox
