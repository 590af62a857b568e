#include "sandbox/planning/promised_layers.hpp"

#include "sandbox/planning/cgroup_plan.hpp"
#include "sandbox/planning/resource_plan.hpp"

#include <algorithm>

namespace satellite::sandbox {
namespace {

bool has_downgrade(const EffectiveSandbox& promise, Layer layer) {
  return std::any_of(promise.downgrades.begin(), promise.downgrades.end(),
                     [layer](const Downgrade& downgrade) { return downgrade.layer == layer; });
}

LayerState state_of(bool required, bool enforced, bool shortfall, bool has_mechanism) {
  if (!required) return shortfall ? LayerState::absent : LayerState::not_requested;
  if (!has_mechanism) return LayerState::absent;
  return enforced && !shortfall ? LayerState::enforced : LayerState::degraded;
}

LayerReport layer_report(const Plan& plan, Layer layer, bool required, bool enforced,
                         std::string mechanism) {
  LayerReport report;
  report.layer = layer;
  report.required = required;
  report.state =
      state_of(required, enforced, has_downgrade(plan.promise, layer), !mechanism.empty());
  report.mechanism = std::move(mechanism);
  return report;
}

std::string filesystem_mechanism(const Plan& plan) {
  if (plan.engine == Engine::none ||
      plan.promise.requested.filesystem.mode == FilesystemMode::off) {
    return {};
  }
  const std::string engine(name_of(plan.engine));
  if (!plan.has_own_view) {
    return engine + ": own mount namespace, system read-only, scratch directory writable";
  }
  const auto scratch =
      std::find_if(plan.memory_sizes.begin(), plan.memory_sizes.end(),
                   [&](const MemorySize& size) { return size.path == plan.scratch_directory; });
  std::string text = engine +
                     ": own root in memory, system directories and a few files of /etc read-only, "
                     "/tmp in memory, scratch directory ";
  text += scratch != plan.memory_sizes.end()
              ? "in memory, at most " + std::to_string(scratch->bytes) + " bytes"
              : "on the host's disk";
  return text + "; Landlock where the kernel has it";
}

std::string network_mechanism(const Plan& plan) {
  if (plan.engine == Engine::none) return {};
  const std::string own = std::string(name_of(plan.engine)) + ": own network namespace";
  switch (plan.egress) {
    case Egress::host:
      return {};
    case Egress::routeless:
      return own + " without uplink";
    case Egress::macvlan:
      return own + ", macvlan + nftables";
    case Egress::slirp4netns:
      return own + ", slirp4netns + nftables";
  }
  return {};
}

std::string privilege_mechanism(const Plan& plan, const IdentityPlan& identity) {
  std::string mechanism;
  if (plan.identity) {
    mechanism = "launcher changes to " + std::to_string(plan.identity->uid) + ":" +
                std::to_string(plan.identity->gid) + " without groups before anything else starts";
    if (plan.identity_is_own) mechanism += ", a user that no other run has";
  } else if (identity.safe) {
    mechanism = "the supervisor is not root";
  }
  if (mechanism.empty()) return mechanism;
  if (plan.engine != Engine::none) mechanism += "; no capability in any set";
  if (plan.engine != Engine::none) mechanism += "; system call filter";
  return mechanism;
}

/// Under `fail`, too, a shell's memory may be unlimited: the operator may refuse such runs
/// (operator.require_memory_limit), and the layer never claims the limit.
std::string resource_shortfall(const Plan& plan) {
  const bool asked = plan.promise.requested.resources.memory_bytes.has_value();
  if (!asked || plan.cgroup.memory_bytes) return "";
  if (plan.watched_memory_bytes > 0) return "memory is watched, not capped";
  return plan.heap_limit_kept ? "memory beside the JavaScript heap is not limited"
                              : "memory is not limited";
}

}  // namespace

std::string resource_mechanism(const Plan& plan) {
  std::string mechanism;
  for (const auto& setting : plan.resource_settings) {
    mechanism += mechanism.empty() ? "limits: " : ", ";
    mechanism += name_of(setting.resource);
    // The kernel counts it for each process by itself.
    if (setting.resource == Resource::cpu_seconds) mechanism += " of each process";
  }
  const auto add = [&mechanism](std::string_view part) {
    if (!mechanism.empty()) mechanism += "; ";
    mechanism += part;
  };
  if (plan.cgroup.any()) add("control group: " + controllers_of(plan.cgroup));
  if (plan.output_size_max) add("output cap");
  if (plan.heap_limit_kept) add("heap limit of JavaScript objects alone");
  return mechanism;
}

std::vector<LayerReport> promised_layers(const Plan& plan, const IdentityPlan& identity) {
  const Policy& policy = plan.promise.requested;
  const EnforcedLayers& enforced = plan.promise.enforced;
  if (!policy.enabled) {
    std::vector<LayerReport> none(4);
    const Layer all[] = {Layer::resources, Layer::filesystem, Layer::network, Layer::privilege};
    for (std::size_t i = 0; i < none.size(); ++i) {
      none[i].layer = all[i];
      none[i].state = LayerState::not_requested;
    }
    return none;
  }
  const bool limits = asks_for_limits(policy.resources) || policy.resources.max_output_bytes;
  const bool network = policy.network.mode != NetworkMode::unrestricted ||
                       policy.network.deny_link_local_and_metadata;
  std::vector<LayerReport> layers{
      layer_report(plan, Layer::resources, limits, enforced.resources, resource_mechanism(plan)),
      layer_report(plan, Layer::filesystem, policy.filesystem.mode != FilesystemMode::off,
                   enforced.filesystem, filesystem_mechanism(plan)),
      layer_report(plan, Layer::network, network, enforced.network, network_mechanism(plan)),
      layer_report(plan, Layer::privilege, policy.privilege.mode == PrivilegeMode::drop_to_uid,
                   enforced.privilege, privilege_mechanism(plan, identity))};
  layers.front().lacks = resource_shortfall(plan);
  return layers;
}

}  // namespace satellite::sandbox
