#include "sandbox/probe.hpp"

#include "sandbox/build_plan.hpp"
#include "sandbox/launcher/launcher_link.hpp"
#include "sandbox/planning/make_launch_order.hpp"
#include "sandbox/probe_egress.hpp"
#include "sandbox/running/ending.hpp"

#include <unistd.h>
#include <cstdlib>
#include <string>
#include <string_view>

namespace satellite::sandbox {
namespace {

constexpr Identity overflow_identity{65'534, 65'534};
constexpr std::string_view search_path_default = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
// Any number below the usual limit will do: it shows up in /proc/PID/limits or it does not.
constexpr std::uint64_t trial_open_files = 64;

std::string find_program(std::string_view name) {
  const char* own_path = std::getenv("PATH");
  std::string_view rest = own_path != nullptr ? own_path : search_path_default;
  while (!rest.empty()) {
    const auto directory = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), directory.size() + 1));
    if (!directory.starts_with('/')) continue;
    std::string path = std::string(directory) + "/" + std::string(name);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

void add_finding(HostFacts& facts, std::string name, bool present, std::string detail,
                 std::string remedy) {
  if (present) remedy.clear();
  facts.findings.push_back({std::move(name), present, std::move(detail), std::move(remedy)});
}

LaunchOrder bare_trial(Launcher& launcher, const std::optional<Identity>& identity) {
  LaunchOrder order;
  order.run_number = launcher.next_run_number();
  order.command = {"true"};
  order.identity = identity;
  order.resource_settings = {{Resource::open_files, trial_open_files}};
  order.expectation.identity = identity;
  order.expectation.not_host_root = identity.has_value();
  order.expectation.resource_settings = order.resource_settings;
  return order;
}

/// The default policy's own plan, as if everything worked: whether it does is what we find out.
Result<LaunchOrder> confined_trial(Launcher& launcher, const HostFacts& facts, Engine engine,
                                   const std::optional<Identity>& identity) {
  HostFacts hoped = facts;
  hoped.native_engine = engine == Engine::native;
  hoped.wrapper = engine == Engine::bwrap ? Wrapper::bwrap : Wrapper::none;
  hoped.user_namespaces = hoped.user_ns_creatable = hoped.net_namespaces = true;
  hoped.launcher_sets_rlimits = true;
  hoped.launcher_drops_privilege = facts.euid_is_root;
  RunInputs inputs;
  inputs.command = {"true"};
  OrderInputs order_inputs;
  order_inputs.run_number = launcher.next_run_number();
  inputs.scratch_directory =
      launcher.scratch_area() + "/run-" + std::to_string(order_inputs.run_number);
  inputs.default_identity = identity;
  inputs.agent_identity = Identity{::geteuid(), ::getegid()};
  const auto decision = build_plan({shipped_default_policy(), false}, hoped, inputs, host_world());
  if (const auto* refusal = std::get_if<Refusal>(&decision)) {
    return Error{ErrorCode::unsupported, refusal_text(refusal->promise.downgrades)};
  }
  auto order = make_launch_order(std::get<Plan>(decision), std::move(order_inputs));
  if (order && !order->wrapper.empty()) order->wrapper.front() = facts.wrapper_path;
  return order;
}

void probe_launcher(Launcher& launcher, const std::optional<Identity>& identity, HostFacts& facts) {
  const std::string problem = problem_of_trial(launcher.try_order(bare_trial(launcher, identity)));
  facts.launcher_sets_rlimits = problem.empty();
  facts.launcher_drops_privilege = problem.empty() && facts.euid_is_root;
  add_finding(facts, "resource_limits", facts.launcher_sets_rlimits,
              problem.empty() ? "set and read back by the launcher" : problem,
              "look at the limits of the satellite's service (LimitNOFILE=)");
  std::string detail = problem;
  if (problem.empty()) {
    detail = facts.euid_is_root ? "changed to " + std::to_string(identity->uid) + " and read back"
                                : "the satellite is not root: scripts run as its own user";
  }
  add_finding(facts, "privilege_drop", facts.launcher_drops_privilege || !facts.euid_is_root,
              detail,
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

void probe_native(Launcher& launcher, const std::optional<Identity>& identity, HostFacts& facts) {
  const auto order = confined_trial(launcher, facts, Engine::native, identity);
  std::optional<LauncherRecord> end;
  if (order) end = launcher.try_order(*order);
  const std::string problem = order ? problem_of_trial(end) : order.error().message;
  facts.native_engine = problem.empty();
  add_finding(facts, "native_engine", facts.native_engine,
              problem.empty() ? "a script ran under every layer, measured at its barrier" : problem,
              std::string(remedy_of(end)));
}

void probe_wrapper(Launcher& launcher, const std::optional<Identity>& identity, HostFacts& facts) {
  facts.wrapper_path = find_program("bwrap");
  std::string problem = "bwrap is not on PATH";
  if (!facts.wrapper_path.empty()) {
    const auto order = confined_trial(launcher, facts, Engine::bwrap, identity);
    problem = order ? problem_of_trial(launcher.try_order(*order)) : order.error().message;
  }
  const bool works = problem.empty();
  if (works) facts.wrapper = Wrapper::bwrap;
  add_finding(
      facts, "wrapper", works, works ? facts.wrapper_path : problem,
      facts.wrapper_path.empty()
          ? "install bubblewrap"
          : "see user_namespaces; bubblewrap must be allowed to make namespaces and mounts");
  const auto namespaces = works ? std::nullopt : launcher.try_namespaces(identity);
  const std::string refused = namespaces ? problem_of_trial(*namespaces) : std::string();
  const bool creatable = works || refused.empty();
  facts.user_namespaces = facts.user_ns_creatable = creatable;
  facts.net_namespaces = creatable && works;
  add_finding(facts, "user_namespaces", creatable,
              creatable ? "created, with a network namespace and a mount inside" : refused,
              "allow unprivileged user namespaces: user.max_user_namespaces > 0, "
              "kernel.unprivileged_userns_clone = 1, "
              "kernel.apparmor_restrict_unprivileged_userns = 0 or a profile, and in a container a "
              "seccomp profile that permits unshare and mount");
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

HostFacts probe_host(Launcher& launcher, const ProbeSettings& settings) {
  HostFacts facts;
  facts.euid_is_root = launcher.is_root();
  facts.has_prlimit = !find_program("prlimit").empty();
  facts.rlimit_native = facts.has_prlimit;
  std::optional<Identity> identity;
  if (facts.euid_is_root) identity = identity_of_trials(settings);
  probe_launcher(launcher, identity, facts);
  probe_native(launcher, identity, facts);
  probe_wrapper(launcher, identity, facts);
  if (settings.tries_egress) {
    probe_egress(launcher, settings, facts);
  } else {
    leave_egress_untried(facts);
  }
  return facts;
}

}  // namespace satellite::sandbox
