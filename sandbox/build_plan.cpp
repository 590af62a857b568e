#include "sandbox/build_plan.hpp"

#include "sandbox/decide.hpp"
#include "sandbox/planning/cgroup_plan.hpp"
#include "sandbox/planning/egress_notes.hpp"
#include "sandbox/planning/filesystem_layer.hpp"
#include "sandbox/planning/identity_plan.hpp"
#include "sandbox/planning/network_decision.hpp"
#include "sandbox/planning/promised_layers.hpp"
#include "sandbox/planning/resource_plan.hpp"

#include <algorithm>
#include <utility>

// The layers are decided in an order that each of them needs: identity, because a dedicated uid
// decides whether processes can be counted; network, because file view and network share one
// wrapper; then the wrapper; then what depends on whether it engages.

namespace satellite::sandbox {
namespace {

struct Draft {
  const Policy& policy;
  HostFacts facts;
  RunInputs inputs;
  const World& world;
  Plan plan;
  IdentityPlan identity;
  NetworkDecision network;
  FilesystemLayer wrapper;

  void downgrade(Layer layer, std::string reason) {
    plan.promise.downgrades.push_back(Downgrade{layer, std::move(reason)});
  }
  void note(Layer layer, std::string text) {
    plan.promise.notes.push_back(Note{layer, std::move(text)});
  }
  EnforcedLayers& enforced() { return plan.promise.enforced; }
  bool wrapped() const { return wrapper.kind == FilesystemLayer::Kind::enforced; }
  bool can_limit() const { return facts.rlimit_native || facts.launcher_sets_rlimits; }
};

void plan_privilege(Draft& draft) {
  draft.identity =
      plan_identity(draft.policy.privilege, draft.facts, draft.inputs.default_identity);
  draft.plan.identity = draft.identity.drop;
  draft.enforced().privilege = draft.identity.safe;
  if (!draft.identity.shortfall.empty()) {
    draft.downgrade(Layer::privilege, draft.identity.shortfall);
  }
  if (!draft.identity.note.empty()) draft.note(Layer::privilege, draft.identity.note);
}

void plan_limits(Draft& draft) {
  const ResourceLimits& limits = draft.policy.resources;
  if (asks_for_limits(limits) && !draft.can_limit()) {
    std::string reason =
        "resource limits cannot be set on this host (install util-linux for prlimit); only the "
        "timeout and the output cap hold";
    if (draft.facts.platform != "linux") reason += " (platform=" + draft.facts.platform + ")";
    draft.downgrade(Layer::resources, std::move(reason));
  }
  if (limits.max_output_bytes) draft.plan.output_size_max = ByteCount{*limits.max_output_bytes};
  draft.plan.cgroup = cgroup_limits(limits, draft.facts, draft.inputs.cpu_percent);
  if (!limits.memory_bytes) return;

  constexpr std::uint64_t mebibyte = 1U << 20U;
  constexpr std::uint64_t heap_mebibytes_min = 16;  // below it the runtime does not even start
  const auto mebibytes = std::max(heap_mebibytes_min, *limits.memory_bytes / mebibyte);
  draft.plan.module_memory_environment = {
      {"NODE_OPTIONS", "--max-old-space-size=" + std::to_string(mebibytes)}};
  draft.plan.heap_limit_kept = draft.inputs.keeps_heap_limit;
  if (!draft.inputs.keeps_heap_limit && !draft.plan.cgroup.memory_bytes) {
    draft.note(Layer::resources,
               "memoryBytes does not limit this run by itself: only a JavaScript runtime keeps the "
               "heap limit, a shell does not; give the satellite's service or container a memory "
               "limit (MemoryMax=, --memory, resources.limits.memory)");
  }
}

/// Whether this run could load the filter and bring up the way out that the decision asks for.
bool can_stage(const Draft& draft) {
  if (draft.inputs.launcher_makes_network) return true;
  if (draft.network.ruleset && !draft.inputs.filter_file) return false;
  return draft.network.egress != Egress::slirp4netns || draft.inputs.egress_script.has_value();
}

void plan_network(Draft& draft) {
  draft.network = decide_network(draft.policy.network, draft.facts);
  draft.plan.packet_filter = draft.network.ruleset;
  draft.plan.filter_rules = draft.network.filter;
  switch (draft.network.kind) {
    case NetworkDecision::Kind::host:
      draft.enforced().network = !draft.network.metadata_block_unenforceable;
      if (!draft.enforced().network) draft.downgrade(Layer::network, draft.network.reason);
      break;
    case NetworkDecision::Kind::degrade:
      draft.downgrade(Layer::network, draft.network.reason);
      break;
    case NetworkDecision::Kind::namespaced:
      if (!can_stage(draft)) {
        // A namespace without its filter or its uplink would cut off what the policy allows.
        draft.downgrade(Layer::network,
                        "this run cannot bring up the filtered way out of its network namespace; "
                        "network access stays unrestricted");
        draft.network.kind = NetworkDecision::Kind::host;
      } else if (!draft.network.reason.empty()) {
        draft.downgrade(Layer::network, draft.network.reason);
      } else {
        draft.enforced().network = true;
        if (draft.inputs.launcher_makes_network && draft.network.filter) {
          for (auto& text : egress_notes(draft.policy.network, draft.facts, draft.network)) {
            draft.note(Layer::network, std::move(text));
          }
        }
      }
      break;
  }
}

std::optional<std::string> start_directory(Draft& draft) {
  const auto& wanted = draft.inputs.working_directory;
  if (!wanted || wanted->empty()) return draft.inputs.scratch_directory;
  if (wanted->front() == '/' || !draft.inputs.scratch_directory) return wanted;
  return *draft.inputs.scratch_directory + "/" + *wanted;
}

/// An unprivileged launcher can put only a wrapper into a network that another user namespace owns.
void choose_engine_for_network(Draft& draft) {
  const bool has_way_out = draft.network.kind == NetworkDecision::Kind::namespaced &&
                           draft.network.egress != Egress::routeless;
  if (has_way_out && !draft.facts.euid_is_root) draft.facts.native_engine = false;
}

void plan_wrapper(Draft& draft) {
  FilesystemInputs inputs;
  inputs.scratch_directory = draft.inputs.scratch_directory;
  inputs.package_directory = draft.inputs.package_directory;
  inputs.interpreter = draft.inputs.interpreter;
  inputs.start_directory = start_directory(draft);
  inputs.filter_file = draft.inputs.filter_file;
  inputs.launcher_makes_network = draft.inputs.launcher_makes_network;
  inputs.inner_uid = draft.identity.inner_uid;
  inputs.inner_gid = draft.identity.inner_gid;
  inputs.script_identity = draft.plan.identity ? draft.plan.identity : draft.inputs.agent_identity;
  draft.wrapper = build_filesystem_layer(draft.policy.filesystem, draft.facts, inputs,
                                         draft.network, draft.world);
  const bool confined = draft.policy.filesystem.mode != FilesystemMode::off;
  const bool namespaced = draft.network.kind == NetworkDecision::Kind::namespaced;
  if (draft.wrapper.kind == FilesystemLayer::Kind::degrade) {
    if (confined) draft.downgrade(Layer::filesystem, draft.wrapper.reason);
    if (namespaced) {
      draft.enforced().network = false;
      draft.plan.packet_filter.reset();
      draft.plan.filter_rules.reset();
      draft.downgrade(Layer::network,
                      "the network namespace cannot be made: " + draft.wrapper.reason);
    }
  } else {
    draft.enforced().filesystem = true;
  }
  if (draft.wrapped()) {
    draft.plan.engine = draft.wrapper.engine;
    draft.plan.wrapper = draft.wrapper.wrapper;
    draft.plan.native = draft.wrapper.native;
    if (namespaced) draft.plan.egress = draft.network.egress;
  }
  if (draft.policy.filesystem.scratch_bytes && draft.plan.engine != Engine::native) {
    draft.note(Layer::filesystem,
               "scratchBytes does not limit this run: only the native engine gives the scratch "
               "directory a size; give the scratch parent a file system of its own, or a quota");
  }
  // Within its own file view the wrapper changes directory itself.
  if (!(draft.wrapped() && confined) || draft.plan.native)
    draft.plan.working_directory = inputs.start_directory;
}

void judge_inner_identity(Draft& draft) {
  if (!draft.identity.inner_uid) return;
  draft.downgrade(Layer::privilege,
                  draft.wrapped()
                      ? "the wrapper shows the script uid " +
                            std::to_string(*draft.identity.inner_uid) +
                            ", but a root supervisor leaves host uid 0 behind it; let the launcher "
                            "drop privileges, or run the satellite as an unprivileged user"
                      : "drop-to-uid needs a wrapper here and none engages: the script would run "
                        "as host root; run the satellite as an unprivileged user");
}

/// Dropped to one user without a user namespace of its own, each run counts for all of them.
void admit_count_by_user(Draft& draft) {
  const auto& settings = draft.plan.resource_settings;
  const bool counted = std::any_of(settings.begin(), settings.end(), [](const auto& setting) {
    return setting.resource == Resource::processes;
  });
  const bool by_wrapper = draft.wrapped() && draft.plan.engine != Engine::native;
  if (!counted || !draft.identity.drop || by_wrapper) return;
  draft.note(Layer::resources,
             "maxProcesses counts all runs of uid " + std::to_string(draft.identity.drop->uid) +
                 " together: one that uses it up keeps the others from starting processes; "
                 "delegate a control group to the satellite (Delegate=yes)");
}

/// Whether the script cannot write to the files of its own control group.
bool group_is_safe(const Draft& draft) {
  return draft.plan.identity ||
         (draft.wrapped() && draft.policy.filesystem.mode != FilesystemMode::off);
}

void plan_settings(Draft& draft) {
  const bool as_host_root = draft.facts.euid_is_root && !draft.identity.drop;
  // The kernel exempts host uid 0 from the process limit, so a wrapper's user namespace isolates
  // the count only for everybody else.
  const bool isolated = draft.identity.drop || (draft.wrapped() && !as_host_root);
  if (asks_for_limits(draft.policy.resources) && draft.can_limit()) {
    // A safe group counts this run alone; the limit of the user would count its other runs, too.
    const bool by_user = isolated && !(draft.plan.cgroup.processes && group_is_safe(draft));
    draft.plan.resource_settings = resource_settings(
        draft.policy.resources, by_user ? ProcessCount::isolated : ProcessCount::shared);
    const bool grouped = draft.plan.cgroup.processes && (group_is_safe(draft) || !as_host_root);
    if (draft.policy.resources.max_processes && !isolated && !grouped) {
      if (as_host_root) {
        draft.downgrade(Layer::resources,
                        "maxProcesses cannot hold: the script runs as host root, which the kernel "
                        "exempts from the process limit; drop to an unprivileged uid");
      } else {
        draft.note(Layer::resources,
                   "maxProcesses is not set for this run: without a wrapper the script shares the "
                   "satellite's uid, and the limit would count and starve the satellite too; "
                   "enable file confinement, or limit the service (TasksMax=, --pids-limit)");
      }
    }
  }
  admit_count_by_user(draft);
  if (draft.plan.cgroup.any() && !group_is_safe(draft)) {
    draft.note(Layer::resources,
               "the control group holds against mistakes only: a script that runs as the "
               "satellite's own user and sees its file system can lift the limits of its group; "
               "enable file confinement");
  }
  draft.enforced().resources = !resource_mechanism(draft.plan).empty() &&
                               (draft.can_limit() || !asks_for_limits(draft.policy.resources));
}

void plan_environment(Draft& draft) {
  auto& base = draft.inputs.base_environment;
  const bool confined = draft.wrapped() && draft.policy.filesystem.mode != FilesystemMode::off;
  // The agent's own home is neither visible to a confined script nor readable to a dropped one.
  if (draft.inputs.home_is_scratch && draft.inputs.scratch_directory &&
      (confined || draft.plan.identity)) {
    base["HOME"] = *draft.inputs.scratch_directory;
  }
  auto environment =
      build_environment(base, draft.inputs.environment,
                        draft.policy.enabled ? EnvironmentGuard::on : EnvironmentGuard::off);
  draft.plan.environment = std::move(environment.variables);
  draft.plan.dropped_environment = std::move(environment.dropped);
  // The wrapper mounts a fresh /tmp; the host's TMPDIR need not exist behind it.
  if (confined) draft.plan.environment["TMPDIR"] = "/tmp";
}

/// An engine that this run may not use is an engine that this host does not have.
void forbid_other_engines(Draft& draft) {
  const auto allowed = [&draft](Engine engine) {
    const auto& engines = draft.inputs.engines;
    return std::find(engines.begin(), engines.end(), engine) != engines.end();
  };
  draft.facts.native_engine = draft.facts.native_engine && allowed(Engine::native);
  const Wrapper found = draft.facts.wrapper;
  if ((found == Wrapper::bwrap && allowed(Engine::bwrap)) ||
      (found == Wrapper::nsjail && allowed(Engine::nsjail))) {
    return;
  }
  draft.facts.wrapper = Wrapper::none;
}

}  // namespace

Decision build_plan(const ResolvedPolicy& resolved, const HostFacts& facts, RunInputs inputs,
                    const World& world) {
  Draft draft{resolved.policy, facts, std::move(inputs), world, {}, {}, {}, {}};
  forbid_other_engines(draft);
  draft.plan.promise.requested = resolved.policy;
  draft.plan.promise.platform = facts.platform;
  draft.plan.command = draft.inputs.command;
  draft.plan.scratch_directory = draft.inputs.scratch_directory.value_or("");
  if (resolved.policy.enabled) {
    plan_privilege(draft);
    plan_limits(draft);
    plan_network(draft);
    choose_engine_for_network(draft);
    plan_wrapper(draft);
    judge_inner_identity(draft);
    plan_settings(draft);
  } else {
    draft.plan.working_directory = start_directory(draft);
  }
  plan_environment(draft);
  draft.plan.promise.engine = name_of(draft.plan.engine);
  draft.plan.promise.layers = promised_layers(draft.plan, draft.identity);
  auto decision = decide(std::move(draft.plan));
  if (resolved.failed_closed) {
    report_fail_closed(std::holds_alternative<Plan>(decision)
                           ? std::get<Plan>(decision).promise
                           : std::get<Refusal>(decision).promise);
  }
  return decision;
}

}  // namespace satellite::sandbox
