#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/host/identity.hpp"
#include "sandbox/policy/policy_provider.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace satellite::sandbox {

/// The operator's word: the limits that the operator of this host sets to every policy from
/// outside, and the identities that scripts have here.
///
/// Shape:  the section `[operator]` of the settings, and the identities of `[sandbox]`. A value:
///         nothing from outside can change it.
struct OperatorsWord {
  bool supervisor_is_root = false;  ///< then a script is root unless it drops
  Identity identity;                ///< sandbox.uid and sandbox.gid
  std::optional<IdentityRange> identity_range;
  bool allow_root_scripts = false;
  std::optional<bool> allow_unconfined;   ///< absent = only under an unprivileged supervisor
  std::vector<IdentityRange> policy_ids;  ///< further ids that a policy may name, uid or gid
  std::optional<Policy> ceiling;          ///< always enabled; names no identity
  bool require_memory_limit = false;
  std::vector<std::string> blocked_addresses;
  /// The operator wrote that list: a policy must not let a run out past it. The default list only
  /// holds where a run is filtered anyway, as not every host has a filter to offer.
  bool blocked_by_choice = false;

  bool may_be_unconfined() const { return allow_unconfined.value_or(!supervisor_is_root); }
  bool may_be_root() const { return !supervisor_is_root || allow_root_scripts; }
};

/// The policy that holds: at most what both the one from outside and the operator permit.
///
/// Shape:  pure and idempotent in what it permits. Each thing that changed is a remark beginning
///         with `restricted by the operator: `. `enabled: false` that is not permitted counts as
///         not written: the other members of such a policy hold.
ResolvedPolicy apply_operators_word(ResolvedPolicy outside, const OperatorsWord& word);

/// The text of a ceiling: what it does not mention it does not restrict, so that absent members are
/// not the defaults of a policy's schema.
///
/// Errors: invalid_input: also for `enabled: false`, which would be no ceiling, for an identity,
///         which sandbox.uid and operator.policy_ids decide, and for an entry of network.allow
///         that is no address.
Result<Policy> parse_ceiling(std::string_view text);

/// `1001, 2000:16`: single ids and BASE:COUNT. Errors: invalid_input; 0 is never among them.
Result<std::vector<IdentityRange>> parse_id_list(std::string_view text);

/// Addresses and blocks between commas, at most `blocked_addresses_max`.
/// Errors: invalid_input, limit_exceeded.
Result<std::vector<std::string>> parse_address_list(std::string_view text);

}  // namespace satellite::sandbox
