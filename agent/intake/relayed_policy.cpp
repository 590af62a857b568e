#include "agent/intake/relayed_policy.hpp"

#include "agent/config/sandbox_settings.hpp"
#include "agent/runtime/boot_clock.hpp"
#include "protocol/vocabulary/printable.hpp"
#include "sandbox/policy/policy_json.hpp"

#include <bit>

namespace satellite::agent {
namespace {

// The core stores every report, and every check has one each time: the log has the whole reason.
constexpr std::size_t reason_in_reports_max = 96;

constexpr std::string_view degraded_subject = "policy";

PolicyAge::Time boot_time() {
  return BootClock::now().time_since_epoch();
}

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

bool RelayedPolicy::receive(const std::string& policy_json) {
  const auto parsed = sandbox::parse_policy(policy_json);
  if (!parsed) {
    refuse(parsed.error());
    return false;
  }
  age_.stated();
  accept(*parsed);
  return true;
}

void RelayedPolicy::restore(const std::string& policy_json, std::chrono::seconds age) {
  const auto parsed = sandbox::parse_policy(policy_json);
  if (!parsed) return refuse(parsed.error());
  age_.restored(boot_time(), age);
  accept(*parsed);
  accepted_at_ = std::chrono::steady_clock::now() - age;
}

void RelayedPolicy::connection_lost() {
  age_.connection_lost(boot_time());
  watch_age();
}

/// The runs themselves look at the age; this tells when it happens.
void RelayedPolicy::watch_age() {
  const auto at = age_.expires_at();
  if (!at || !last_valid_) {
    alarm_.cancel();
    return degraded_.leave(degraded_subject);
  }
  const auto now = boot_time();
  if (now >= *at) {
    const Error error = expired();
    log_.error("policy_expired", error.message, {{"error_code", error.code}});
    return degraded_.enter(degraded_subject, "policy_expired", error.message);
  }
  alarm_.expires_after(*at - now);
  alarm_.async_wait([this](const boost::system::error_code& failure) {
    if (!failure) watch_age();
  });
}

Error RelayedPolicy::expired() const {
  return Error{
      ErrorCode::timed_out,
      "the core was away for longer than its policy holds without it (" +
          std::to_string(config_.policy_age_max.count()) +
          " s, offline.max_policy_age): runs get the fail-closed profile until it is back"};
}

void RelayedPolicy::accept(const sandbox::Policy& policy) {
  log_.info("policy_active", "the core's sandbox policy is in force",
            {{"enabled", policy.enabled ? "true" : "false"},
             {"network", word_of(policy.network.mode)},
             {"on_unavailable",
              policy.on_unavailable == sandbox::OnUnavailable::fail ? "fail" : "degrade"}});
  // Once per policy: a core relays the same one with every connection.
  const bool is_new = last_valid_ != policy;
  refused_ = 0;
  last_valid_ = policy;
  accepted_at_ = std::chrono::steady_clock::now();
  problem_.clear();
  // Asked by every run: an alarm that a suspended host slept through would come too late.
  provider_.register_source([this, policy]() -> Result<sandbox::Policy> {
    if (age_.expired(boot_time())) return expired();
    return policy;
  });
  provider_.set_remark(std::nullopt);
  watch_age();
  if (!is_new) return;
  std::string restrictions;
  for (const auto& remark : policy_for_run({policy, false}, config_).remarks) {
    restrictions += (restrictions.empty() ? "" : "; ") + remark.note;
  }
  if (!restrictions.empty()) log_.warn("policy_restricted", restrictions);
}

RelayedPolicy::State RelayedPolicy::state() const {
  State state;
  const bool is_expired = age_.expired(boot_time());
  state.has_valid = last_valid_.has_value() && !is_expired;
  state.accepted_at = accepted_at_;
  state.problem = problem_;
  if (!state.has_valid) {
    state.in_words =
        is_expired ? "the core's is older than offline.max_policy_age: the fail-closed profile"
                   : "none that is valid came from the core: the fail-closed profile";
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
  // The 1st, 2nd, 4th, 8th … in a row: a core that pushes nonsense must not fill a disk.
  ++refused_;
  if (std::has_single_bit(refused_)) {
    log_.error("policy_invalid", error.message + "; " + consequence,
               {{"error_code", error.code}, {"count", refused_}});
  }
  const bool is_long = error.message.size() > reason_in_reports_max;
  const std::string reason = printable(error.message, reason_in_reports_max);
  problem_ = reason;
  provider_.set_remark("the policy that the core sent last is not valid (" + reason +
                       (is_long ? " the log has the whole); " : "); ") + consequence);
}

}  // namespace satellite::agent
