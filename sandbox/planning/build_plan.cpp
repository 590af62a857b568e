#include "sandbox/planning/build_plan.hpp"

#include "sandbox/host/engines.hpp"
#include "sandbox/planning/account.hpp"
#include "sandbox/planning/decide.hpp"
#include "sandbox/planning/egress_notes.hpp"
#include "sandbox/planning/plan_builder.hpp"
#include "sandbox/planning/promised_layers.hpp"
#include "sandbox/planning/resource_layer.hpp"

#include <algorithm>
#include <utility>

// The layers are decided in an order that each of them needs: identity, because a dedicated uid
// decides whether processes can be counted; network, because file view and network share one
// wrapper; then the wrapper; then what depends on whether it engages.

namespace satellite::sandbox {
namespace {

void plan_privilege(Draft& draft) {
  const auto& inputs = draft.inputs;
  draft.identity =
      plan_identity(draft.policy.privilege, draft.facts,
                    {inputs.default_identity, inputs.own_identity, inputs.has_identity_range});
  draft.plan.identity = draft.identity.drop;
  draft.plan.identity_is_own = draft.identity.drop_is_own;
  draft.enforced().privilege = draft.identity.safe;
  if (!draft.identity.shortfall.empty()) {
    draft.downgrade(Layer::privilege, draft.identity.shortfall);
  }
  if (!draft.identity.note.empty()) draft.note(Layer::privilege, draft.identity.note);
}

/// Whether this run could load the filter and bring up the way out that the decision asks for.
bool can_stage(const Draft& draft) {
  if (draft.inputs.launcher_makes_network) return true;
  if (draft.network.ruleset && !draft.inputs.filter_file) return false;
  return draft.network.egress != Egress::slirp4netns || draft.inputs.egress_script.has_value();
}

void plan_network(Draft& draft) {
  draft.network = decide_network(draft.policy.network, draft.facts,
                                 draft.resolved.blocked_addresses, draft.inputs.engines);
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
                        "this run cannot bring up the filtered way out of its network namespace");
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

/// What is bounded under the native engine and not here.
void note_missing_sizes(Draft& draft) {
  const auto& sizes = draft.plan.memory_sizes;
  const auto has_size = [&sizes](const std::string& path) {
    return std::any_of(sizes.begin(), sizes.end(),
                       [&path](const MemorySize& size) { return size.path == path; });
  };
  if (draft.policy.filesystem.scratch_bytes && !has_size(draft.plan.scratch_directory)) {
    draft.note(Layer::filesystem,
               "scratchBytes does not limit this run: only the native engine, nsjail, and "
               "bubblewrap since 0.7 give the scratch directory a size; give the scratch parent a "
               "file system of "
               "its own, or a quota");
  }
  if (draft.plan.has_own_view && sizes.empty()) {
    draft.note(Layer::filesystem,
               "/tmp and /dev/shm of this run are in memory and have no size of their own: this "
               "bubblewrap is older than 0.7; update it, or give runs a memory limit (a delegated "
               "control group)");
  }
}

void plan_wrapper(Draft& draft) {
  FilesystemInputs inputs;
  inputs.engines = draft.inputs.engines;
  inputs.scratch_directory = draft.inputs.scratch_directory;
  inputs.package_directory = draft.inputs.package_directory;
  inputs.interpreter = draft.inputs.interpreter;
  inputs.start_directory = start_directory(draft);
  inputs.filter_file = draft.inputs.filter_file;
  inputs.launcher_makes_network = draft.inputs.launcher_makes_network;
  inputs.wants_own_view = draft.inputs.launcher_makes_network;
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
    draft.plan.wrapper_files = draft.wrapper.wrapper_files;
    draft.plan.writable_paths = draft.wrapper.writable_paths;
    draft.plan.memory_sizes = draft.wrapper.memory_sizes;
    draft.plan.has_own_view = draft.wrapper.has_own_view;
    if (namespaced) draft.plan.egress = draft.network.egress;
  }
  note_missing_sizes(draft);
  // Within its own file view bubblewrap changes directory itself, and so would the reference
  // satellite's nsjail.
  const bool by_wrapper = draft.wrapped() && confined && !draft.plan.native &&
                          (draft.plan.engine == Engine::bwrap || !inputs.launcher_makes_network);
  if (!by_wrapper) draft.plan.working_directory = inputs.start_directory;
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

/// The account that whoami tells; nothing where that is the agent's own, which knows better.
std::optional<Account> account_of_script(const Draft& draft, bool confined) {
  const auto& kept = draft.inputs.agent_identity;
  const auto& identity = draft.plan.identity ? draft.plan.identity : kept;
  if (!identity) return std::nullopt;
  if (confined) return made_account(identity->uid, draft.plan.scratch_directory);
  if (auto found =
          find_account(draft.world.public_text("/etc/passwd").value_or(""), identity->uid)) {
    return found;
  }
  if (kept && *identity == *kept) return std::nullopt;
  // No account has it. Programs take the number wherever they take a name.
  return Account{std::to_string(identity->uid), {}, {}};
}

/// What the agent's own environment says of its user and host would be wrong of the script.
void tell_of_script(const Draft& draft, bool confined, std::map<std::string, std::string>& base) {
  // The agent's own home is neither visible to a confined script nor readable to a dropped one.
  if (draft.inputs.scratch_directory && (confined || draft.plan.identity)) {
    base["HOME"] = *draft.inputs.scratch_directory;
  }
  if (const auto account = account_of_script(draft, confined)) {
    base["USER"] = base["LOGNAME"] = account->name;
    base["SHELL"] = usable_shell(*account);
  } else if (const auto user = base.find("USER"); user != base.end()) {
    base["LOGNAME"] = user->second;
  }
  const auto name = base.find("HOSTNAME");
  if (name != base.end() && !draft.world.host_name.empty()) name->second = draft.world.host_name;
}

void plan_environment(Draft& draft) {
  auto& base = draft.inputs.base_environment;
  const bool confined = draft.wrapped() && draft.policy.filesystem.mode != FilesystemMode::off;
  if (draft.inputs.tells_of_script && draft.policy.enabled) tell_of_script(draft, confined, base);
  auto environment =
      build_environment(base, draft.inputs.environment,
                        draft.policy.enabled ? EnvironmentGuard::on : EnvironmentGuard::off);
  draft.plan.environment = std::move(environment.variables);
  draft.plan.dropped_environment = std::move(environment.dropped);
  // The wrapper mounts a fresh /tmp; the host's TMPDIR need not exist behind it.
  if (confined) draft.plan.environment["TMPDIR"] = "/tmp";
}

/// What the operator's word means for this run beyond its policy.
EnforcedLayers hold_operators_word(Draft& draft) {
  const ResolvedPolicy& resolved = draft.resolved;
  EnforcedLayers must_hold = resolved.must_hold;
  if (resolved.failed_closed) {
    // Nobody said what may be missing: a script that sees the host is not a closed door.
    must_hold.filesystem = must_hold.network = must_hold.privilege = true;
  }
  if (resolved.require_memory_limit && !draft.plan.cgroup.memory_bytes) {
    must_hold.resources = true;
    draft.downgrade(
        Layer::resources,
        resolved.policy.enabled && resolved.policy.resources.memory_bytes
            ? "nothing here limits the memory of a run, and operator.require_memory_limit is set; "
              "delegate a control group to the satellite (Delegate= in its unit, cgroup v2)"
            : "the policy sets no resources.memoryBytes, and operator.require_memory_limit is set");
  }
  if (draft.plan.egress == Egress::host && !resolved.blocked_addresses.empty()) {
    draft.note(Layer::network,
               "operator.blocked_addresses do not hold for this run: it has the host's network, "
               "which nothing filters");
  }
  return must_hold;
}

/// Without this, the reasons for what is missing would advise to install what is there.
void name_forbidden_engines(Draft& draft, const HostFacts& before) {
  if (draft.wrapped() || draft.plan.promise.downgrades.empty()) return;
  std::string names;
  const auto add = [&names](std::string_view name) {
    names += (names.empty() ? "" : ", ") + std::string(name);
  };
  if (before.native_engine && !draft.facts.native_engine) add(name_of(Engine::native));
  const bool is_engine = before.wrapper == Wrapper::bwrap || before.wrapper == Wrapper::nsjail;
  if (is_engine && before.wrapper != draft.facts.wrapper) add(name_of(before.wrapper));
  if (names.empty()) return;
  draft.note(Layer::filesystem,
             "works here and may not be used: " + names + "; allow it in sandbox.engines");
}

}  // namespace

void offer_from(const std::optional<IdentityRange>& range, RunInputs& inputs) {
  inputs.has_identity_range = range.has_value();
  if (range) inputs.own_identity = Identity{range->first, range->first};
}

Decision build_plan(const ResolvedPolicy& resolved, const HostFacts& facts, RunInputs inputs,
                    const World& world) {
  Draft draft{resolved, resolved.policy, facts, std::move(inputs), world, {}, {}, {}, {}};
  restrict_engines(draft.facts, draft.inputs.engines);
  draft.plan.promise.requested = resolved.policy;
  draft.plan.promise.platform = facts.platform;
  draft.plan.promise.notes = resolved.remarks;
  draft.plan.command = draft.inputs.command;
  draft.plan.scratch_directory = draft.inputs.scratch_directory.value_or("");
  if (resolved.policy.enabled) {
    plan_privilege(draft);
    plan_limits(draft);
    plan_network(draft);
    plan_wrapper(draft);
    name_forbidden_engines(draft, facts);
    judge_inner_identity(draft);
    plan_settings(draft);
  } else {
    draft.plan.working_directory = start_directory(draft);
  }
  plan_environment(draft);
  const EnforcedLayers must_hold = hold_operators_word(draft);
  draft.plan.promise.engine = name_of(draft.plan.engine);
  draft.plan.promise.layers = promised_layers(draft.plan, draft.identity);
  auto decision = decide(std::move(draft.plan), must_hold);
  if (resolved.failed_closed) {
    report_fail_closed(std::holds_alternative<Plan>(decision)
                           ? std::get<Plan>(decision).promise
                           : std::get<Refusal>(decision).promise);
  }
  return decision;
}

}  // namespace satellite::sandbox
