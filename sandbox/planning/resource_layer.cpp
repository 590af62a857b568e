#include "sandbox/planning/resource_layer.hpp"

#include "sandbox/planning/cgroup_plan.hpp"
#include "sandbox/planning/promised_layers.hpp"
#include "sandbox/planning/resource_plan.hpp"

#include <algorithm>

namespace satellite::sandbox {
namespace {

/// Runs that drop to one user without user namespaces of their own are counted together, unless the
/// user is this run's alone.
void admit_count_by_user(PlanBuilder& builder) {
  const auto& settings = builder.plan.resource_settings;
  const bool counted = std::any_of(settings.begin(), settings.end(), [](const auto& setting) {
    return setting.resource == Resource::processes;
  });
  const bool by_wrapper = builder.wrapped() && builder.plan.engine != Engine::native;
  const bool shared = builder.identity.drop && !builder.identity.drop_is_own;
  if (!counted || !shared || by_wrapper) return;
  builder.note(Layer::resources,
               "maxProcesses counts all runs of uid " + std::to_string(builder.identity.drop->uid) +
                   " together: one that uses it up keeps the others from starting processes; "
                   "give each run a user of its own (sandbox.uid_range), or delegate a control "
                   "group to the satellite (Delegate=yes)");
}

/// Whether the script cannot write to the files of its own control group.
bool group_is_safe(const PlanBuilder& builder) {
  return builder.plan.identity ||
         (builder.wrapped() && builder.policy.filesystem.mode != FilesystemMode::off);
}

}  // namespace

void plan_limits(PlanBuilder& builder) {
  const ResourceLimits& limits = builder.policy.resources;
  if (asks_for_limits(limits) && !builder.can_limit()) {
    std::string reason =
        "resource limits cannot be set on this host (install util-linux for prlimit); only the "
        "timeout and the output cap hold";
    if (builder.facts.platform != "linux") reason += " (platform=" + builder.facts.platform + ")";
    builder.downgrade(Layer::resources, std::move(reason));
  }
  if (limits.max_output_bytes) builder.plan.output_size_max = ByteCount{*limits.max_output_bytes};
  builder.plan.cgroup = cgroup_limits(limits, builder.facts, builder.inputs.cpu_percent);
  if (!limits.memory_bytes) return;

  constexpr std::uint64_t mebibyte = 1U << 20U;
  constexpr std::uint64_t heap_mebibytes_min = 16;  // below it the runtime does not even start
  const auto mebibytes = std::max(heap_mebibytes_min, *limits.memory_bytes / mebibyte);
  builder.plan.module_memory_environment = {
      {"NODE_OPTIONS", "--max-old-space-size=" + std::to_string(mebibytes)}};
  builder.plan.heap_limit_kept = builder.inputs.keeps_heap_limit;
  if (builder.inputs.watches_memory && !builder.plan.cgroup.memory_bytes) {
    builder.plan.watched_memory_bytes = *limits.memory_bytes;
    builder.note(Layer::resources,
                 "memoryBytes is watched, not capped: five times a second the memory of the run's "
                 "processes is added up, and a run above it is ended; delegate a control group to "
                 "the satellite for a limit (Delegate=)");
    return;
  }
  if (!builder.inputs.keeps_heap_limit && !builder.plan.cgroup.memory_bytes) {
    builder.note(
        Layer::resources,
        "memoryBytes does not limit this run by itself: only node keeps the heap limit, bun and a "
        "shell do not; give the satellite's service or container a memory "
        "limit (MemoryMax=, --memory, resources.limits.memory)");
  }
}

void plan_settings(PlanBuilder& builder) {
  const bool as_host_root = builder.facts.euid_is_root && !builder.identity.drop;
  // The kernel exempts host uid 0 from the process limit, so a wrapper's user namespace isolates
  // the count only for everybody else.
  const bool isolated = builder.identity.drop || (builder.wrapped() && !as_host_root);
  if (asks_for_limits(builder.policy.resources) && builder.can_limit()) {
    // A safe group counts this run alone; the limit of the user would count its other runs, too.
    const bool by_user = isolated && !(builder.plan.cgroup.processes && group_is_safe(builder));
    builder.plan.resource_settings = resource_settings(
        builder.policy.resources, by_user ? ProcessCount::isolated : ProcessCount::shared);
    const bool grouped = builder.plan.cgroup.processes && (group_is_safe(builder) || !as_host_root);
    if (builder.policy.resources.max_processes && !isolated && !grouped) {
      if (as_host_root) {
        builder.downgrade(
            Layer::resources,
            "maxProcesses cannot hold: the script runs as host root, which the kernel "
            "exempts from the process limit; drop to an unprivileged uid");
      } else {
        builder.note(
            Layer::resources,
            "maxProcesses is not set for this run: without a wrapper the script shares the "
            "satellite's uid, and the limit would count and starve the satellite too; "
            "enable file confinement, or limit the service (TasksMax=, --pids-limit)");
      }
    }
  }
  admit_count_by_user(builder);
  if (builder.plan.cgroup.any() && !group_is_safe(builder)) {
    builder.note(Layer::resources,
                 "the control group holds against mistakes only: a script that runs as the "
                 "satellite's own user and sees its file system can lift the limits of its group; "
                 "enable file confinement");
  }
  builder.enforced().resources =
      !resource_mechanism(builder.plan).empty() &&
      (builder.can_limit() || !asks_for_limits(builder.policy.resources));
}

}  // namespace satellite::sandbox
