#include "sandbox/planning/resource_layer.hpp"

#include "sandbox/planning/cgroup_plan.hpp"
#include "sandbox/planning/promised_layers.hpp"
#include "sandbox/planning/resource_plan.hpp"

#include <algorithm>

namespace satellite::sandbox {
namespace {

/// Dropped to one user without a user namespace of its own, each run counts for all of them, unless
/// the user is the run's alone.
void admit_count_by_user(Draft& draft) {
  const auto& settings = draft.plan.resource_settings;
  const bool counted = std::any_of(settings.begin(), settings.end(), [](const auto& setting) {
    return setting.resource == Resource::processes;
  });
  const bool by_wrapper = draft.wrapped() && draft.plan.engine != Engine::native;
  const bool shared = draft.identity.drop && !draft.identity.drop_is_own;
  if (!counted || !shared || by_wrapper) return;
  draft.note(Layer::resources,
             "maxProcesses counts all runs of uid " + std::to_string(draft.identity.drop->uid) +
                 " together: one that uses it up keeps the others from starting processes; "
                 "give each run a user of its own (sandbox.uid_range), or delegate a control "
                 "group to the satellite (Delegate=yes)");
}

/// Whether the script cannot write to the files of its own control group.
bool group_is_safe(const Draft& draft) {
  return draft.plan.identity ||
         (draft.wrapped() && draft.policy.filesystem.mode != FilesystemMode::off);
}

}  // namespace

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

}  // namespace satellite::sandbox
