#include "agent/policy/relayed_policy.hpp"

#include "sandbox/policy_json.hpp"

namespace satellite::agent {
namespace {

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
  auto parsed = sandbox::parse_policy(policy_json);
  if (parsed) {
    log_.info("policy_active", "the core's sandbox policy is in force",
              {{"enabled", parsed->enabled ? "true" : "false"},
               {"network", word_of(parsed->network.mode)},
               {"on_unavailable",
                parsed->on_unavailable == sandbox::OnUnavailable::fail ? "fail" : "degrade"}});
  } else {
    log_.error("policy_invalid",
               parsed.error().message +
                   "; every script gets the fail-closed profile until the core "
                   "sends a valid policy",
               {{"error_code", parsed.error().code}});
  }
  provider_.register_source([parsed = std::move(parsed)] { return parsed; });
}

}  // namespace satellite::agent
