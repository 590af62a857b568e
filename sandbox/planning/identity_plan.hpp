#pragma once

#include "sandbox/host/host_facts.hpp"
#include "sandbox/host/host_view.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/policy/policy.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace satellite::sandbox {

/// Who the script will be.
///
/// Shape:  at most one of `drop` (the launcher changes to it for real), `inner_uid` (a number
///         inside the wrapper's user namespace, which hides host uid 0 and does not remove it) and
///         `shortfall`. None of the three and `safe`: the supervisor is not root, so the
///         script is not either.
/// Source: reference-satellite 5; core-contract 9-C16 for what a root supervisor really gets.
struct IdentityPlan {
  bool safe = false;  ///< the script can not be host root
  std::optional<Identity> drop;
  bool drop_is_own = false;  ///< nobody else's while the run lives
  std::optional<std::uint64_t> inner_uid, inner_gid;
  std::string shortfall;  ///< why the layer is not met; known before any wrapper is
  std::string note;
};

/// The identities that the operator offers to runs whose policy names none.
struct OfferedIdentity {
  std::optional<Identity> fallback;
  std::optional<OwnIdentity> own;
  bool has_range = false;
};

IdentityPlan plan_identity(const PrivilegePolicy& policy, const HostFacts& facts,
                           const OfferedIdentity& offered);

/// Which ids a run under this policy takes where some are set aside. Where it is to see the host's
/// processes, and Landlock does not keep its signals, its init has one, too: no run may signal or
/// stop what is to end it.
OwnIds own_ids_of(const Policy& policy, const HostFacts& facts, const HostView& view);

}  // namespace satellite::sandbox
