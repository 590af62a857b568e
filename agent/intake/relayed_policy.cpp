#include "agent/intake/relayed_policy.hpp"

#include "agent/config/sandbox_settings.hpp"
#include "protocol/vocabulary/printable.hpp"
#include "sandbox/policy/policy_json.hpp"

namespace satellite::agent {
namespace {

// The core stores every report, and every check has one each time: the log has the whole reason.
constexpr std::size_t reason_in_reports_max = 96;

const char* word_of(sandbox::NetworkMode mode) {
  switch (mode) {
    case sandbox::NetworkMode::unrestricted:
      return "unrestricted";
    case sandbox::NetworkMode::deny:
      return "deny";
    case sandbox::NetworkMode::allowlist:
      return "allowlist";
  }
  return "";
}

}  // namespace

void RelayedPolicy::receive(const std::string& policy_json) {
  const auto parsed = sandbox::parse_policy(policy_json);
  parsed ? accept(*parsed) : refuse(parsed.error());
}

void RelayedPolicy::accept(const sandbox::Policy& policy) {
  log_.info("policy_active", "the core's sandbox policy is in force",
            {{"enabled", policy.enabled ? "true" : "false"},
             {"network", word_of(policy.network.mode)},
             {"on_unavailable",
              policy.on_unavailable == sandbox::OnUnavailable::fail ? "fail" : "degrade"}});
  // Once per policy: a core relays the same one with every connection.
  const bool is_new = last_valid_ != policy;
  last_valid_ = policy;
  accepted_at_ = std::chrono::steady_clock::now();
  problem_.clear();
  provider_.register_source([policy]() -> Result<sandbox::Policy> { return policy; });
  provider_.set_remark(std::nullopt);
  if (!is_new) return;
  std::string restrictions;
  for (const auto& remark : policy_for_run({policy, false}, config_).remarks) {
    restrictions += (restrictions.empty() ? "" : "; ") + remark.note;
  }
  if (!restrictions.empty()) log_.warn("policy_restricted", restrictions);
}

RelayedPolicy::State RelayedPolicy::state() const {
  State state;
  state.has_valid = last_valid_.has_value();
  state.accepted_at = accepted_at_;
  state.problem = problem_;
  if (!last_valid_) {
    state.in_words = "none that is valid came from the core: the fail-closed profile";
    return state;
  }
  const sandbox::Policy& policy = *last_valid_;
  state.in_words = std::string(policy.enabled ? "sandbox on" : "sandbox off") + ", network " +
                   word_of(policy.network.mode) + ", on unavailable " +
                   (policy.on_unavailable == sandbox::OnUnavailable::fail ? "fail" : "degrade");
  for (const auto& remark : policy_for_run({policy, false}, config_).remarks) {
    state.restrictions.push_back(std::string(name_of(remark.layer)) + ": " + remark.note);
  }
  return state;
}

void RelayedPolicy::refuse(const Error& error) {
  const std::string consequence =
      last_valid_ ? "the last valid policy stays in force until the core sends a valid one"
                  : "no valid one came before: runs get the fail-closed profile until the core "
                    "sends a valid policy";
  log_.error("policy_invalid", error.message + "; " + consequence, {{"error_code", error.code}});
  const bool is_long = error.message.size() > reason_in_reports_max;
  const std::string reason = printable(error.message, reason_in_reports_max);
  problem_ = reason;
  provider_.set_remark("the policy that the core sent last is not valid (" + reason +
                       (is_long ? " the log has the whole); " : "); ") + consequence);
}

}  // namespace satellite::agent
