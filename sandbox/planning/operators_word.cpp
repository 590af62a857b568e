// The one place where a policy from outside meets the operator's word. Every step can only take
// away; what it took away becomes a remark.
#include "sandbox/planning/operators_word.hpp"

#include "sandbox/planning/packet_filter.hpp"
#include "sandbox/policy/address_block.hpp"
#include "sandbox/policy/policy_json.hpp"
#include "sandbox/policy/policy_schema.hpp"

#include <algorithm>
#include <utility>

namespace satellite::sandbox {
namespace {

/// A policy that asks for no layer at all, but is one: other policies can be laid over it.
Policy permits_everything() {
  Policy policy;
  policy.network.deny_link_local_and_metadata = false;
  return policy;
}

class Restriction {
 public:
  Restriction(ResolvedPolicy resolved, const OperatorsWord& word)
      : resolved_(std::move(resolved)), policy_(resolved_.policy), word_(word) {}

  ResolvedPolicy apply() {
    hold_switch();
    hold_files();
    if (word_.ceiling) hold_ceiling(*word_.ceiling);
    hold_blocked_addresses();
    hold_root();
    if (word_.supervisor_is_root) hold_identity();
    resolved_.blocked_addresses = word_.blocked_addresses;
    resolved_.require_memory_limit = word_.require_memory_limit;
    return std::move(resolved_);
  }

 private:
  void tell(Layer layer, const std::string& what) {
    resolved_.remarks.push_back({layer, "restricted by the operator: " + what});
  }

  /// `enabled: false` would leave nothing that a restriction could be laid on.
  void hold_switch() {
    if (policy_.enabled) return;
    if (!word_.may_be_unconfined()) {
      policy_.enabled = true;
      return tell(Layer::filesystem,
                  "enabled: false is not followed and the rest of the policy holds "
                  "(operator.allow_unconfined)");
    }
    if (word_.may_be_root() && !word_.ceiling) return;
    policy_ = permits_everything();
    tell(Layer::privilege,
         word_.ceiling
             ? "enabled: false does not lift operator.ceiling"
             : "enabled: false does not make a script root (operator.allow_root_scripts)");
  }

  void hold_files() {
    if (word_.may_be_unconfined()) return;
    resolved_.must_hold.filesystem = true;
    if (policy_.filesystem.mode != FilesystemMode::off) return;
    policy_.filesystem.mode = FilesystemMode::scratch_plus_ro;
    tell(Layer::filesystem,
         "filesystem.mode off became scratch-plus-ro (operator.allow_unconfined)");
  }

  /// Without a filter of its own such a run would reach them.
  void hold_blocked_addresses() {
    NetworkPolicy& network = policy_.network;
    if (!word_.blocked_by_choice || word_.blocked_addresses.empty() || !policy_.enabled) return;
    if (network.mode != NetworkMode::unrestricted || network.deny_link_local_and_metadata) return;
    network.deny_link_local_and_metadata = true;
    tell(Layer::network,
         "network.denyLinkLocalAndMetadata false became true (operator.blocked_addresses)");
  }

  void hold_root() {
    if (word_.may_be_root()) return;
    resolved_.must_hold.privilege = true;
    if (policy_.privilege.mode == PrivilegeMode::drop_to_uid) return;
    policy_.privilege = {PrivilegeMode::drop_to_uid, std::nullopt, std::nullopt};
    tell(Layer::privilege,
         "privilege.mode inherit became drop-to-uid (operator.allow_root_scripts)");
  }

  bool may_name(std::uint64_t id) const {
    const auto holds = [id](const IdentityRange& range) {
      return id >= range.first && id <= range.last();
    };
    return std::any_of(word_.policy_ids.begin(), word_.policy_ids.end(), holds);
  }

  bool may_name(std::uint64_t uid, std::uint64_t gid) const {
    return (uid == word_.identity.uid || may_name(uid)) &&
           (gid == word_.identity.gid || may_name(gid));
  }

  /// Each id of the range is one run's at a time, whom the satellite chooses: two runs that name
  /// the same one would be in each other's way.
  bool is_of_range(const std::optional<std::uint64_t>& id) const {
    return id && word_.identity_range && *id >= word_.identity_range->first &&
           *id <= word_.identity_range->last();
  }

  /// Ids in a relayed policy come from the core's host (core-contract 9-C10). Here the same number
  /// may be an account, and the same group may read what only a few programs should.
  void hold_identity() {
    PrivilegePolicy& privilege = policy_.privilege;
    if (!policy_.enabled || privilege.mode != PrivilegeMode::drop_to_uid) return;
    if (!privilege.uid && !privilege.gid) return;
    const bool of_range = is_of_range(privilege.uid) || is_of_range(privilege.gid);
    if (!of_range && privilege.uid == word_.identity.uid && !privilege.gid) {
      privilege.gid = word_.identity.gid;
      return;
    }
    if (!of_range && privilege.uid &&
        may_name(*privilege.uid, privilege.gid.value_or(*privilege.uid))) {
      return;
    }
    std::string named = privilege.uid ? "privilege.uid " + std::to_string(*privilege.uid) : "";
    if (privilege.gid) {
      named += (named.empty() ? "privilege.gid " : " with privilege.gid ") +
               std::to_string(*privilege.gid);
    }
    privilege.uid.reset();
    privilege.gid.reset();
    tell(Layer::privilege, named +
                               " gives way to the operator's choice (sandbox.uid, sandbox.gid, "
                               "sandbox.uid_range); " +
                               (of_range ? "no policy names an id of sandbox.uid_range"
                                         : "operator.policy_ids may name more"));
  }

  void hold_ceiling(const Policy& ceiling) {
    // A disabled policy sets no limits, so the ceiling is compared with one that permits
    // everything.
    const Policy before = policy_.enabled ? policy_ : permits_everything();
    policy_ = stricter_of(ceiling, before);
    report_numbers(Layer::resources, "resources.", before.resources, policy_.resources,
                   resource_fields);
    report_numbers(Layer::filesystem, "filesystem.", before.filesystem, policy_.filesystem,
                   filesystem_fields);
    report_word(Layer::filesystem, "filesystem.mode", before.filesystem.mode,
                policy_.filesystem.mode);
    report_word(Layer::network, "network.mode", before.network.mode, policy_.network.mode);
    report_word(Layer::privilege, "privilege.mode", before.privilege.mode, policy_.privilege.mode);
    report_word(Layer::resources, "onUnavailable", before.on_unavailable, policy_.on_unavailable);
    if (before.network.deny_link_local_and_metadata !=
        policy_.network.deny_link_local_and_metadata) {
      tell(Layer::network, "network.denyLinkLocalAndMetadata false became true (operator.ceiling)");
    }
    const bool both_allow = before.network.mode == NetworkMode::allowlist &&
                            policy_.network.mode == NetworkMode::allowlist;
    if (both_allow && !holds_all_of(before.network.allow, policy_.network.allow)) {
      tell(Layer::network, "network.allow was narrowed to what operator.ceiling allows, too: " +
                               std::to_string(policy_.network.allow.size()) + " entries are left");
    }
  }

  static bool holds_all_of(const std::vector<std::string>& before,
                           const std::vector<std::string>& after) {
    return std::all_of(before.begin(), before.end(), [&after](const std::string& entry) {
      return std::find(after.begin(), after.end(), entry) != after.end();
    });
  }

  template <typename Section, typename Fields>
  void report_numbers(Layer layer, const std::string& prefix, const Section& before,
                      const Section& after, const Fields& fields) {
    for (const auto& field : fields) {
      const auto& old = before.*field.member;
      const auto& now = after.*field.member;
      if (old == now || !now) continue;
      tell(layer, prefix + field.name + (old ? " " + std::to_string(*old) : " without a limit") +
                      " became " + std::to_string(*now) + " (operator.ceiling)");
    }
  }

  template <typename Enum>
  void report_word(Layer layer, const std::string& name, Enum before, Enum after) {
    if (before == after) return;
    tell(layer, name + " " + std::string(name_of(before)) + " became " +
                    std::string(name_of(after)) + " (operator.ceiling)");
  }

  ResolvedPolicy resolved_;
  Policy& policy_;
  const OperatorsWord& word_;
};

std::vector<std::string> words_between_commas(std::string_view text) {
  std::vector<std::string> words;
  for (bool more = !text.empty(); more;) {
    const auto comma = text.find(',');
    std::string_view word = text.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
    while (!word.empty() && word.front() == ' ') word.remove_prefix(1);
    while (!word.empty() && word.back() == ' ') word.remove_suffix(1);
    words.emplace_back(word);
  }
  return words;
}

}  // namespace

ResolvedPolicy apply_operators_word(ResolvedPolicy outside, const OperatorsWord& word) {
  return Restriction(std::move(outside), word).apply();
}

Result<Policy> parse_ceiling(std::string_view text) {
  auto ceiling = merge_policy(permits_everything(), text);
  if (!ceiling) return ceiling;
  const auto wrong = [](const std::string& problem) {
    return Error{ErrorCode::invalid_input, problem};
  };
  if (!ceiling->enabled) {
    return wrong("enabled: false restricts nothing; leave operator.ceiling out instead");
  }
  if (ceiling->privilege.uid || ceiling->privilege.gid) {
    return wrong(
        "privilege.uid and privilege.gid do not belong in a ceiling; who scripts are is for "
        "sandbox.uid, sandbox.uid_range and operator.policy_ids to say");
  }
  const auto issues = allow_issues(*ceiling);
  if (!issues.empty()) return wrong(text_of(issues.front()));
  return ceiling;
}

Result<std::vector<IdentityRange>> parse_id_list(std::string_view text) {
  std::vector<IdentityRange> ranges;
  for (const std::string& word : words_between_commas(text)) {
    const bool is_range = word.find(':') != std::string::npos;
    const auto range = parse_identity_range(is_range ? word : word + ":1");
    if (!range) return range.error();
    ranges.push_back(*range);
  }
  return ranges;
}

Result<std::vector<std::string>> parse_address_list(std::string_view text) {
  auto addresses = words_between_commas(text);
  if (addresses.size() > blocked_addresses_max) {
    return Error{ErrorCode::limit_exceeded,
                 "more than " + std::to_string(blocked_addresses_max) + " addresses"};
  }
  for (const std::string& address : addresses) {
    const auto block = parse_address_block(address);
    if (!block) return block.error();
  }
  return addresses;
}

}  // namespace satellite::sandbox
