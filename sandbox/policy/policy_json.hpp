#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/policy/policy.hpp"

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace satellite::sandbox {

/// One thing that is wrong with a policy.
///
/// Shape:  the path from the root (names and indices) and one of the schema's codes `invalid_type`,
///         `invalid_value`, `too_small`, `too_big`, `unrecognized_keys`, in the schema's order.
struct PolicyIssue {
  std::vector<std::variant<std::string, std::size_t>> path;
  std::string code;
  std::string message;  ///< what was found and what is permitted, without the path
};

/// `network.allow[2]: 5 is not a string`; a policy that is no object at all is called `policy`.
std::string text_of(const PolicyIssue& issue);

/// Everything the schema objects to; empty = valid. Unknown keys are invalid at every level.
/// Source: core-contract 1.7; numbers are IEEE doubles as on the other side.
std::vector<PolicyIssue> policy_issues(const nlohmann::json& value);

/// A policy in JSON -> the value with the schema's defaults, or the first issues as one message.
///
/// Shape:  parse_policy is the door for text from outside: bounded in size, depth and count before
///         anything is parsed.
/// Errors: invalid_input naming path, value and bound; limit_exceeded for text beyond the bounds.
///         Entries of network.allow are only strings here, as upstream; what is no address is
///         refused where the rules are built (planning/egress_rules), see also allow_issues.
Result<Policy> policy_from_json(const nlohmann::json& value);
Result<Policy> parse_policy(std::string_view text);

/// The entries of network.allow that no rule can be made of. A tool that lets a person write a
/// policy refuses them at once; a relayed policy is not refused whole for one of them.
std::vector<PolicyIssue> allow_issues(const Policy& policy);

nlohmann::json to_json(const Policy& policy);

/// `base` with only what `override_value` sets. Both the override and the result obey the schema.
Result<Policy> merge_policy(const Policy& base, std::string_view override_text);
Result<Policy> overlay_policy(const Policy& base, const nlohmann::json& override_value);

}  // namespace satellite::sandbox
