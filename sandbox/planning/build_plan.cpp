#include "sandbox/planning/build_plan.hpp"

#include "sandbox/host/engines.hpp"
#include "sandbox/planning/account.hpp"
#include "sandbox/planning/decide.hpp"
#include "sandbox/planning/egress_notes.hpp"
#include "sandbox/planning/plan_builder.hpp"
#include "sandbox/planning/promised_layers.hpp"
#include "sandbox/planning/resource_layer.hpp"
#include "sandbox/state/packed_state.hpp"

#include <algorithm>
#include <string>
#include <utility>

// The layers are decided in an order that each of them needs: identity, because a dedicated uid
// decides whether processes can be counted; network, because file view and network share one
// wrapper; then the wrapper; then what depends on whether it engages.

namespace satellite::sandbox {
namespace {

void plan_privilege(PlanBuilder& builder) {
  const auto& inputs = builder.inputs;
  builder.identity =
      plan_identity(builder.policy.privilege, builder.facts,
                    {inputs.default_identity, inputs.own_identity, inputs.has_identity_range});
  builder.plan.identity = builder.identity.drop;
  builder.plan.identity_is_own = builder.identity.drop_is_own;
  builder.enforced().privilege = builder.identity.safe;
  if (!builder.identity.shortfall.empty()) {
    builder.downgrade(Layer::privilege, builder.identity.shortfall);
  }
  if (!builder.identity.note.empty()) builder.note(Layer::privilege, builder.identity.note);
}

/// Whether this run could load the filter and bring up the way out that the decision asks for.
bool can_stage(const PlanBuilder& builder) {
  if (builder.inputs.launcher_makes_network) return true;
  if (builder.network.ruleset && !builder.inputs.filter_file) return false;
  return builder.network.egress != Egress::slirp4netns || builder.inputs.egress_script.has_value();
}

void plan_network(PlanBuilder& builder) {
  builder.network = decide_network(builder.policy.network, builder.facts,
                                   builder.resolved.blocked_addresses, builder.inputs.engines);
  builder.plan.nft_text = builder.network.ruleset;
  builder.plan.packet_filter = builder.network.filter;
  switch (builder.network.kind) {
    case NetworkDecision::Kind::host:
      builder.enforced().network = !builder.network.metadata_block_unenforceable;
      if (!builder.enforced().network) builder.downgrade(Layer::network, builder.network.reason);
      break;
    case NetworkDecision::Kind::degrade:
      builder.downgrade(Layer::network, builder.network.reason);
      break;
    case NetworkDecision::Kind::namespaced:
      if (!can_stage(builder)) {
        // A namespace without its filter or its uplink would cut off what the policy allows.
        builder.downgrade(Layer::network,
                          "this run cannot bring up the filtered way out of its network namespace");
        builder.network.kind = NetworkDecision::Kind::host;
      } else if (!builder.network.reason.empty()) {
        builder.downgrade(Layer::network, builder.network.reason);
      } else {
        builder.enforced().network = true;
        if (builder.inputs.launcher_makes_network && builder.network.filter) {
          for (auto& text : egress_notes(builder.policy.network, builder.facts, builder.network)) {
            builder.note(Layer::network, std::move(text));
          }
        }
      }
      break;
  }
}

std::optional<std::string> start_directory(PlanBuilder& builder) {
  const auto& wanted = builder.inputs.working_directory;
  if (!wanted || wanted->empty()) return builder.inputs.scratch_directory;
  if (wanted->front() == '/' || !builder.inputs.scratch_directory) return wanted;
  return *builder.inputs.scratch_directory + "/" + *wanted;
}

/// What is bounded under the native engine and not here.
void note_missing_sizes(PlanBuilder& builder) {
  const auto& sizes = builder.plan.memory_sizes;
  const auto has_size = [&sizes](const std::string& path) {
    return std::any_of(sizes.begin(), sizes.end(),
                       [&path](const MemorySize& size) { return size.path == path; });
  };
  if (builder.policy.filesystem.scratch_bytes && !has_size(builder.plan.scratch_directory)) {
    builder.note(
        Layer::filesystem,
        "scratchBytes does not limit this run: only the native engine, nsjail, and "
        "bubblewrap since 0.7 give the scratch directory a size; give the scratch parent a "
        "file system of "
        "its own, or a quota");
  }
  if (builder.plan.has_own_view && sizes.empty()) {
    builder.note(
        Layer::filesystem,
        "/tmp and /dev/shm of this run are in memory and have no size of their own: this "
        "bubblewrap is older than 0.7; update it, or give runs a memory limit (a delegated "
        "control group)");
  }
}

/// What of the operator's grants this host has; what it lacks is a note.
ShownHost show_granted(PlanBuilder& builder) {
  const auto& inputs = builder.inputs;
  auto run = showing_run(builder.facts, inputs.scratch_directory.value_or(""));
  run.has_user_for_init = builder.identity.drop_is_own && inputs.own_identity->init_uid != 0;
  for (const auto* path : {&inputs.interpreter, &inputs.package_directory}) {
    if (!*path) continue;
    run.further_paths.push_back(builder.host.real_path(**path).value_or(**path));
  }
  auto shown = find_shown(inputs.host_view, builder.host, run);
  builder.plan.promise.grants = shown.grants;
  for (const auto& text : shown.remarks) builder.note(Layer::filesystem, text);
  return shown;
}

/// Ports of the host's loopback in a network of the run's own; one with the host's has them all.
void grant_ports(PlanBuilder& builder) {
  const auto& ports = builder.inputs.host_view.loopback;
  const bool has_own_network = builder.wrapped() && builder.plan.egress != Egress::host;
  if (ports.empty() || !has_own_network || !builder.inputs.launcher_makes_network) return;
  builder.plan.loopback_ports = ports;
  for (const auto port : ports) {
    builder.plan.promise.grants.push_back("loopback " + std::to_string(port));
  }
}

/// A directory that a check finds again, where this run has a file system of its own for it.
void grant_state(PlanBuilder& builder) {
  const auto wanted = builder.inputs.host_view.state_bytes;
  if (wanted == 0) return;
  const auto& sizes = builder.plan.memory_sizes;
  const bool is_there = std::any_of(sizes.begin(), sizes.end(), [](const MemorySize& size) {
    return size.path == state_directory;
  });
  if (!is_there) {
    builder.note(Layer::filesystem,
                 "host_view.state: this run keeps nothing: only the native engine, nsjail, and "
                 "bubblewrap since 0.7 can give it a directory with a size");
    return;
  }
  builder.plan.state_bytes = wanted;
  builder.plan.promise.grants.push_back("state " + state_size_text(wanted));
}

void plan_wrapper(PlanBuilder& builder) {
  FilesystemInputs inputs;
  inputs.engines = builder.inputs.engines;
  inputs.scratch_directory = builder.inputs.scratch_directory;
  inputs.package_directory = builder.inputs.package_directory;
  inputs.interpreter = builder.inputs.interpreter;
  inputs.own_files = builder.inputs.own_files;
  inputs.start_directory = start_directory(builder);
  inputs.filter_file = builder.inputs.filter_file;
  inputs.launcher_makes_network = builder.inputs.launcher_makes_network;
  inputs.wants_own_view = builder.inputs.launcher_makes_network;
  inputs.inner_uid = builder.identity.inner_uid;
  inputs.inner_gid = builder.identity.inner_gid;
  inputs.script_identity =
      builder.plan.identity ? builder.plan.identity : builder.inputs.agent_identity;
  inputs.identity_is_own = builder.plan.identity_is_own;
  const bool confined = builder.policy.filesystem.mode != FilesystemMode::off;
  if (confined) inputs.shown = show_granted(builder);
  inputs.state_bytes = builder.inputs.host_view.state_bytes;
  inputs.has_loopback_ports = !builder.inputs.host_view.loopback.empty();
  builder.wrapper = build_filesystem_layer(builder.policy.filesystem, builder.facts, inputs,
                                           builder.network, builder.host);
  const bool namespaced = builder.network.kind == NetworkDecision::Kind::namespaced;
  if (builder.wrapper.kind == FilesystemLayer::Kind::degrade) {
    if (confined) builder.downgrade(Layer::filesystem, builder.wrapper.reason);
    if (namespaced) {
      builder.enforced().network = false;
      builder.plan.nft_text.reset();
      builder.plan.packet_filter.reset();
      builder.downgrade(Layer::network,
                        "the network namespace cannot be made: " + builder.wrapper.reason);
    }
  } else {
    builder.enforced().filesystem = true;
  }
  if (builder.wrapped()) {
    builder.plan.engine = builder.wrapper.engine;
    builder.plan.wrapper = builder.wrapper.wrapper;
    builder.plan.native = builder.wrapper.native;
    builder.plan.wrapper_files = builder.wrapper.wrapper_files;
    builder.plan.writable_paths = builder.wrapper.writable_paths;
    builder.plan.readable_paths = builder.wrapper.readable_paths;
    builder.plan.memory_sizes = builder.wrapper.memory_sizes;
    builder.plan.has_own_view = builder.wrapper.has_own_view;
    if (builder.plan.native) {
      builder.plan.disks = inputs.shown.disks.disks;
      builder.plan.shows_host_disks = inputs.shown.disks.are_whole();
      if (builder.plan.native->shows_processes && !builder.facts.keeps_signals) {
        builder.plan.init_uid = builder.inputs.own_identity->init_uid;
      }
    }
    if (namespaced) builder.plan.egress = builder.network.egress;
  }
  if (!builder.plan.has_own_view) builder.plan.promise.grants.clear();
  grant_ports(builder);
  grant_state(builder);
  note_missing_sizes(builder);
  // Within its own file view bubblewrap changes directory itself, and so would the reference
  // satellite's nsjail.
  const bool by_wrapper = builder.wrapped() && confined && !builder.plan.native &&
                          (builder.plan.engine == Engine::bwrap || !inputs.launcher_makes_network);
  if (!by_wrapper) builder.plan.working_directory = inputs.start_directory;
}

void validate_inner_identity(PlanBuilder& builder) {
  if (!builder.identity.inner_uid) return;
  builder.downgrade(
      Layer::privilege,
      builder.wrapped()
          ? "the wrapper shows the script uid " + std::to_string(*builder.identity.inner_uid) +
                ", but a root supervisor leaves host uid 0 behind it; let the launcher "
                "drop privileges, or run the satellite as an unprivileged user"
          : "drop-to-uid needs a wrapper here and none engages: the script would run "
            "as host root; run the satellite as an unprivileged user");
}

/// The account that whoami(1) prints for the script; nothing where the script has the agent's
/// identity, whose environment is right then.
std::optional<Account> account_of_script(const PlanBuilder& builder, bool confined) {
  const auto& kept = builder.inputs.agent_identity;
  const auto& identity = builder.plan.identity ? builder.plan.identity : kept;
  if (!identity) return std::nullopt;
  if (confined) return made_account(identity->uid, builder.plan.scratch_directory);
  if (auto found =
          find_account(builder.host.public_text("/etc/passwd").value_or(""), identity->uid)) {
    return found;
  }
  if (kept && *identity == *kept) return std::nullopt;
  // No account has this id. Programs accept the number where they accept a name.
  return Account{std::to_string(identity->uid), {}, {}};
}

/// The agent's values of these variables name its own user and host, not the script's.
void set_account_variables(const PlanBuilder& builder, bool confined,
                           std::map<std::string, std::string>& base) {
  // The agent's own home is neither visible to a confined script nor readable to a dropped one.
  if (builder.inputs.scratch_directory && (confined || builder.plan.identity)) {
    base["HOME"] = *builder.inputs.scratch_directory;
  }
  if (const auto account = account_of_script(builder, confined)) {
    base["USER"] = base["LOGNAME"] = account->name;
    base["SHELL"] = usable_shell(*account);
  } else if (const auto user = base.find("USER"); user != base.end()) {
    base["LOGNAME"] = user->second;
  }
  const auto name = base.find("HOSTNAME");
  if (name != base.end() && !builder.host.host_name.empty()) name->second = builder.host.host_name;
}

void plan_environment(PlanBuilder& builder) {
  auto& base = builder.inputs.base_environment;
  const bool confined = builder.wrapped() && builder.policy.filesystem.mode != FilesystemMode::off;
  if (builder.inputs.sets_account_variables && builder.policy.enabled)
    set_account_variables(builder, confined, base);
  const auto guard = builder.policy.enabled ? EnvironmentGuard::on : EnvironmentGuard::off;
  auto environment = build_environment(base, builder.inputs.environment, guard);
  auto late = build_environment({}, builder.inputs.late_environment, guard);
  builder.plan.environment = std::move(environment.variables);
  builder.plan.late_environment = std::move(late.variables);
  builder.plan.dropped_environment = std::move(environment.dropped);
  builder.plan.dropped_environment.insert(builder.plan.dropped_environment.end(),
                                          late.dropped.begin(), late.dropped.end());
  // The wrapper mounts a fresh /tmp; the host's TMPDIR need not exist behind it.
  if (confined) builder.plan.environment["TMPDIR"] = "/tmp";
  if (builder.plan.state_bytes > 0) builder.plan.environment[state_variable] = state_directory;
}

/// What the operator's word means for this run beyond its policy.
EnforcedLayers hold_operators_word(PlanBuilder& builder) {
  const ResolvedPolicy& resolved = builder.resolved;
  EnforcedLayers must_hold = resolved.must_hold;
  if (resolved.failed_closed) {
    // No policy says which layers may be missing, so none may: fail-closed means confined.
    must_hold.filesystem = must_hold.network = must_hold.privilege = true;
  }
  if (resolved.require_memory_limit && !builder.plan.cgroup.memory_bytes) {
    must_hold.resources = true;
    builder.downgrade(
        Layer::resources,
        resolved.policy.enabled && resolved.policy.resources.memory_bytes
            ? "nothing here limits the memory of a run, and operator.require_memory_limit is set; "
              "delegate a control group to the satellite (Delegate= in its unit, cgroup v2)"
            : "the policy sets no resources.memoryBytes, and operator.require_memory_limit is set");
  }
  if (builder.plan.egress == Egress::host && !resolved.blocked_addresses.empty()) {
    builder.note(Layer::network,
                 "operator.blocked_addresses do not hold for this run: it has the host's network, "
                 "which nothing filters");
  }
  return must_hold;
}

/// Adds that a missing engine is there but may not be used, so that no reason advises to install
/// it.
void name_forbidden_engines(PlanBuilder& builder, const HostFacts& before) {
  if (builder.wrapped() || builder.plan.promise.downgrades.empty()) return;
  std::string names;
  const auto add = [&names](std::string_view name) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  };
  if (before.native_engine && !builder.facts.native_engine) add(name_of(Engine::native));
  const bool is_engine = before.wrapper == Wrapper::bwrap || before.wrapper == Wrapper::nsjail;
  if (is_engine && before.wrapper != builder.facts.wrapper) add(name_of(before.wrapper));
  if (names.empty()) return;
  builder.note(Layer::filesystem,
               "works here and may not be used: " + names + "; allow it in sandbox.engines");
}

}  // namespace

void offer_from(const std::optional<IdentityRange>& range, RunInputs& inputs) {
  inputs.has_identity_range = range.has_value();
  if (!range) return;
  inputs.own_identity = OwnIdentity{{range->first, range->first}};
  if (range->count > 1) inputs.own_identity->init_uid = range->first + 1;
}

Decision build_plan(const ResolvedPolicy& resolved, const HostFacts& facts, RunInputs inputs,
                    const HostPaths& host) {
  PlanBuilder builder{resolved, resolved.policy, facts, std::move(inputs), host, {}, {}, {}, {}};
  restrict_engines(builder.facts, builder.inputs.engines);
  builder.plan.promise.requested = resolved.policy;
  builder.plan.promise.platform = facts.platform;
  builder.plan.promise.notes = resolved.remarks;
  builder.plan.command = builder.inputs.command;
  builder.plan.scratch_directory = builder.inputs.scratch_directory.value_or("");
  if (resolved.policy.enabled) {
    plan_privilege(builder);
    plan_limits(builder);
    plan_network(builder);
    plan_wrapper(builder);
    name_forbidden_engines(builder, facts);
    validate_inner_identity(builder);
    plan_settings(builder);
  } else {
    builder.plan.working_directory = start_directory(builder);
  }
  plan_environment(builder);
  const EnforcedLayers must_hold = hold_operators_word(builder);
  builder.plan.promise.engine = name_of(builder.plan.engine);
  builder.plan.promise.layers = promised_layers(builder.plan, builder.identity);
  auto decision = decide(std::move(builder.plan), must_hold);
  if (resolved.failed_closed) {
    report_fail_closed(std::holds_alternative<Plan>(decision)
                           ? std::get<Plan>(decision).promise
                           : std::get<Refusal>(decision).promise);
  }
  return decision;
}

}  // namespace satellite::sandbox
