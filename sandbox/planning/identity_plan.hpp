#pragma once

#include "sandbox/host_facts.hpp"
#include "sandbox/plan.hpp"
#include "sandbox/policy.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace satellite::sandbox {

/// Who the script will be.
///
/// Shape:  at most one of `drop` (the launcher changes to it for real), `inner_uid` (a number
///         inside the wrapper's user namespace, which hides host uid 0 and does not remove it) and
///         `shortfall`. None of them with `safe` = the supervisor is no root, so the script is
///         none.
/// Source: the wrapper seed; spec/core-contract.md 9-C16 for what a root supervisor really gets.
struct IdentityPlan {
  bool safe = false;  ///< the script can not be host root
  std::optional<Identity> drop;
  std::optional<std::uint64_t> inner_uid, inner_gid;
  std::string shortfall;  ///< why the layer is not met; known before any wrapper is
  std::string note;
};

IdentityPlan plan_identity(const PrivilegePolicy& policy, const HostFacts& facts,
                           const std::optional<Identity>& default_identity);

}  // namespace satellite::sandbox
