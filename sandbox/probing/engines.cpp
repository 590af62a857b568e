// What puts runs together: the launcher itself, its own engine, and a wrapper program.
#include "sandbox/host/engines.hpp"
#include "sandbox/launcher/wire/setup_steps.hpp"
#include "sandbox/probing/probing.hpp"
#include "sandbox/probing/remedies.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <string>
#include <string_view>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

Wrapper wrapper_of(Engine engine) {
  if (engine == Engine::bwrap) return Wrapper::bwrap;
  return engine == Engine::nsjail ? Wrapper::nsjail : Wrapper::none;
}

/// An order by the default policy's plan for a host on which everything works; the trial shows
/// whether it does.
Result<LaunchOrder> confined_trial(const Probing& probing, Engine engine,
                                   bool sizes_memory = false) {
  HostFacts hoped = probing.facts;
  hoped.wrapper_sizes_memory = sizes_memory;
  hoped.native_engine = engine == Engine::native;
  hoped.wrapper = wrapper_of(engine);
  hoped.wrapper_path = find_program(name_of(hoped.wrapper));
  hoped.user_namespaces = hoped.user_ns_creatable = hoped.net_namespaces = true;
  hoped.launcher_sets_rlimits = true;
  hoped.launcher_drops_privilege = hoped.euid_is_root;
  return trial_order(probing.launcher, hoped, shipped_default_policy(), probing.identity, {engine});
}

/// What an operator can do about a trial that did not reach its script.
std::string_view remedy_of(const TrialOutcome& end) {
  constexpr std::string_view otherwise =
      "see the step that failed; until it works bubblewrap or nsjail is used where it is installed";
  if (!end) return otherwise;
  const auto* const failure = std::get_if<RunSetupFailed>(&end->event);
  if (failure == nullptr) return otherwise;
  const auto hint = operator_hint(failure->step, failure->error_number);
  return hint.empty() ? otherwise : hint;
}

/// Without a wrapper that works, whether the kernel or the wrapper is at fault.
asio::awaitable<void> probe_namespaces(Probing probing) {
  HostFacts& facts = probing.facts;
  TrialOutcome end;
  std::string problem;
  // An unprivileged launcher's own engine has made all of them. The probe below says no in
  // containers whose program file belongs to another user, although runs work there.
  const bool native_made_them = facts.native_engine && !facts.euid_is_root;
  if (facts.wrapper == Wrapper::none && !native_made_them) {
    auto tried = co_await try_namespaces(probing.context, probing.launcher, probing.identity);
    end = std::move(tried);
    problem = problem_of_trial(end);
  }
  const bool creatable = problem.empty();
  facts.user_namespaces = facts.user_ns_creatable = creatable;
  facts.net_namespaces = creatable && facts.wrapper != Wrapper::none;
  if (creatable) {
    co_return set_finding(facts, "user_namespaces", true,
                          "created, with a network namespace and a mount inside", {});
  }
  const auto* failure = end ? std::get_if<RunSetupFailed>(&end->event) : nullptr;
  const bool mounting = failure != nullptr && failure->step == SetupStep::mount;
  const auto primitive = mounting ? Primitive::mount_in_namespace : Primitive::user_namespace;
  set_finding(facts, "user_namespaces", false, problem,
              remedy_for(primitive, error_number_of(end), read_host_signs()));
}

bool may_use(const Probing& probing, Engine engine) {
  return std::find(probing.engines.begin(), probing.engines.end(), engine) != probing.engines.end();
}

Engine engine_of(Wrapper wrapper) {
  return wrapper == Wrapper::bwrap ? Engine::bwrap : Engine::nsjail;
}

/// Why a wrapper is not even tried, or empty. A trial takes as long as a run, and a start waits for
/// it, so nsjail is tried where nothing stronger works.
std::string reason_not_to_try(const Probing& probing, Wrapper wrapper) {
  const std::string name(name_of(wrapper));
  if (find_program(name).empty()) return name + " is not on PATH";
  if (probing.tries_every_engine) return {};
  if (!may_use(probing, engine_of(wrapper))) return name + " is not one of sandbox.engines";
  const HostFacts& facts = probing.facts;
  const bool stronger =
      (facts.native_engine && may_use(probing, Engine::native)) || facts.wrapper != Wrapper::none;
  if (wrapper == Wrapper::nsjail && stronger) return name + " was not tried";
  return {};
}

/// Empty when a script ran in it under every layer. An older bubblewrap knows no sizes and gives up
/// at the option; it may work without.
asio::awaitable<std::string> try_wrapper(Probing probing, Wrapper wrapper) {
  std::string problem;
  for (const bool sizes_memory : {true, false}) {
    auto order = confined_trial(probing, engine_of(wrapper), sizes_memory);
    problem = order ? std::string() : order.error().message;
    if (order) {
      LaunchOrder ready = *std::move(order);
      const auto end = co_await try_order(probing.context, probing.launcher, std::move(ready));
      problem = problem_of_trial(end);
    }
    if (wrapper != Wrapper::bwrap) break;
    probing.facts.wrapper_sizes_memory = sizes_memory && problem.empty();
    if (problem.empty()) break;
  }
  if (!problem.empty()) problem = std::string(name_of(wrapper)) + ": " + problem;
  co_return problem;
}

/// The first that works becomes HostFacts::wrapper.
void take_wrapper(HostFacts& facts, Wrapper wrapper) {
  const std::string path = find_program(name_of(wrapper));
  if (facts.wrapper == Wrapper::none) {
    facts.wrapper = wrapper;
    facts.wrapper_path = path;
  }
  facts.working_wrappers.push_back({wrapper, path});
}

}  // namespace

asio::awaitable<void> probe_launcher(Probing probing) {
  HostFacts& facts = probing.facts;
  LaunchOrder order = bare_trial(probing.launcher, probing.identity);
  const auto end = co_await try_order(probing.context, probing.launcher, std::move(order));
  const std::string problem = problem_of_trial(end);
  facts.launcher_sets_rlimits = problem.empty();
  facts.launcher_drops_privilege = problem.empty() && facts.euid_is_root;
  set_finding(facts, "resource_limits", facts.launcher_sets_rlimits,
              problem.empty() ? "set and read back by the launcher" : problem,
              "look at the limits of the satellite's service (LimitNOFILE=)");
  std::string detail = problem;
  if (problem.empty()) {
    detail = facts.euid_is_root
                 ? "changed to " + std::to_string(probing.identity->uid) + " and read back"
                 : "the satellite is not root: scripts run as its own user";
  }
  set_finding(facts, "privilege_drop", facts.launcher_drops_privilege || !facts.euid_is_root,
              detail,
              "give the satellite's service CAP_SETUID and CAP_SETGID, or an unprivileged user");
}

asio::awaitable<void> probe_native(Probing probing) {
  HostFacts& facts = probing.facts;
  if (!probing.tries_every_engine && !may_use(probing, Engine::native)) {
    co_return set_finding(facts, "native_engine", false, "native is not one of sandbox.engines",
                          "allow it in sandbox.engines");
  }
  const auto order = confined_trial(probing, Engine::native);
  TrialOutcome end;
  Posture measured;
  if (order) {
    LaunchOrder ready = *order;
    auto* const told = &measured;
    auto tried = co_await try_order(probing.context, probing.launcher, std::move(ready), told);
    end = std::move(tried);
  }
  const std::string problem = order ? problem_of_trial(end) : order.error().message;
  facts.native_engine = problem.empty();
  facts.keeps_signals = facts.native_engine && measured.keeps_signals;
  set_finding(facts, "native_engine", facts.native_engine,
              problem.empty() ? "a script ran under every layer, measured at its barrier" : problem,
              remedy_of(end));
}

asio::awaitable<void> probe_wrapper(Probing probing) {
  HostFacts& facts = probing.facts;
  std::string problems, remedy;
  for (const Wrapper wrapper : {Wrapper::bwrap, Wrapper::nsjail}) {
    std::string problem = reason_not_to_try(probing, wrapper);
    if (problem.empty()) {
      const auto seen = co_await try_wrapper(probing, wrapper);
      problem = seen;
      if (problem.empty()) take_wrapper(facts, wrapper);
      if (!problem.empty()) remedy = std::string(name_of(wrapper));
    }
    if (!problem.empty()) problems += (problems.empty() ? "" : "; ") + problem;
  }
  const bool works = facts.wrapper != Wrapper::none;
  std::string paths;
  for (const auto& one : facts.working_wrappers) paths += (paths.empty() ? "" : ", ") + one.path;
  if (facts.wrapper == Wrapper::bwrap && !facts.wrapper_sizes_memory) {
    paths += "; it cannot bound memory file systems, as bubblewrap since 0.7 can";
  }
  set_finding(facts, "wrapper", works, works ? paths : problems,
              remedy.empty()
                  ? engine_remedy(probing.tries_every_engine ? all_engines() : probing.engines)
                  : "see user_namespaces; " + remedy +
                        " must be allowed to make namespaces and "
                        "mounts");
  co_await probe_namespaces(probing);
}

}  // namespace satellite::sandbox
