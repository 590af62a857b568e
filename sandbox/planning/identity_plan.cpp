#include "sandbox/planning/identity_plan.hpp"

namespace satellite::sandbox {
namespace {

bool is_drop_target(const std::optional<std::uint64_t>& id) {
  return id && *id != 0 && *id <= id_max;
}

std::string unusable(std::string_view name, std::uint64_t id) {
  return "privilege." + std::string(name) + " " + std::to_string(id) +
         (id == 0 ? " is root, which is no drop" : " is larger than any id of this kernel");
}

/// An identity that the policy names goes before all others, even if runs then share that user.
std::string shares_named_user(std::uint32_t uid) {
  return "the policy names privilege.uid " + std::to_string(uid) +
         ", so this run shares that user with every other run under it instead of having one of "
         "sandbox.uid_range to itself; leave privilege.uid out of the policy to change that";
}

std::uint32_t narrowed(std::uint64_t id) {
  return static_cast<std::uint32_t>(id);
}

/// The identity to change to. A number the policy names and nobody can drop to is replaced by a
/// stricter one, never by root, and the report says so.
IdentityPlan plan_real_drop(const PrivilegePolicy& policy, const OfferedIdentity& offered) {
  IdentityPlan plan;
  const auto chosen = offered.own ? offered.own->script : offered.fallback;
  const bool default_usable = chosen && chosen->uid != 0 && chosen->gid != 0;
  if (is_drop_target(policy.uid)) {
    Identity target{narrowed(*policy.uid), narrowed(*policy.uid)};
    if (is_drop_target(policy.gid)) {
      target.gid = narrowed(*policy.gid);
    } else if (policy.gid) {
      plan.note = unusable("gid", *policy.gid) + "; group " + std::to_string(target.gid) +
                  " is used instead";
    }
    plan.drop = target;
    if (offered.has_range) {
      plan.note += (plan.note.empty() ? "" : "; ") + shares_named_user(target.uid);
    }
  } else if (default_usable) {
    plan.drop = chosen;
    plan.drop_is_own = offered.own.has_value();
    if (policy.uid) {
      plan.note = unusable("uid", *policy.uid) + "; the agent's own choice " +
                  std::to_string(chosen->uid) + " is used instead";
    }
  } else {
    plan.shortfall = policy.uid ? unusable("uid", *policy.uid)
                                : "drop-to-uid names no uid, and the supervisor is root";
    plan.shortfall +=
        ": the script would run as host root; set privilege.uid, CHECKSTACK_SANDBOX_UID or "
        "sandbox.uid to an unprivileged id";
  }
  plan.safe = plan.drop.has_value();
  return plan;
}

}  // namespace

IdentityPlan plan_identity(const PrivilegePolicy& policy, const HostFacts& facts,
                           const OfferedIdentity& offered) {
  IdentityPlan plan;
  if (!facts.euid_is_root) {
    plan.safe = true;
    return plan;
  }
  if (policy.mode == PrivilegeMode::inherit) {
    plan.shortfall =
        "`inherit` under a root supervisor leaves the script running as host root; use "
        "drop-to-uid, "
        "or run the satellite as an unprivileged user";
    return plan;
  }
  if (facts.launcher_drops_privilege) return plan_real_drop(policy, offered);
  if (!policy.uid) {
    plan.shortfall =
        "drop-to-uid names no uid, and the supervisor is root: the script would run as host root; "
        "set privilege.uid or CHECKSTACK_SANDBOX_UID";
    return plan;
  }
  plan.inner_uid = policy.uid;
  plan.inner_gid = policy.gid;
  return plan;
}

OwnIds own_ids_of(const Policy& policy, const HostFacts& facts, const HostView& view) {
  const bool takes_own = policy.enabled && policy.privilege.mode == PrivilegeMode::drop_to_uid &&
                         facts.euid_is_root && facts.launcher_drops_privilege &&
                         !is_drop_target(policy.privilege.uid);
  if (!takes_own) return OwnIds::none;
  const bool is_among_others = view.processes && facts.native_engine && !facts.keeps_signals;
  return is_among_others ? OwnIds::of_script_and_init : OwnIds::of_script;
}

}  // namespace satellite::sandbox
