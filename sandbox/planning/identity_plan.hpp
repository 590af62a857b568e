#pragma once

#include "sandbox/host/host_facts.hpp"
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
  std::optional<Identity> fallback, own;
  bool has_range = false;
};

IdentityPlan plan_identity(const PrivilegePolicy& policy, const HostFacts& facts,
                           const OfferedIdentity& offered);

/// Whether a run under this policy takes an identity of its own where ids are set aside.
bool takes_own_identity(const Policy& policy, const HostFacts& facts);

}  // namespace satellite::sandbox
