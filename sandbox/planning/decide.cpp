#include "sandbox/planning/decide.hpp"

#include "sandbox/policy/policy_provider.hpp"

#include <algorithm>
#include <utility>

namespace satellite::sandbox {
namespace {

/// Adds to the downgrade that the script has the host's network. Not for a refused run, which has
/// none at all.
void report_open_network(Plan& plan) {
  if (plan.egress != Egress::host || plan.promise.enforced.network) return;
  for (Downgrade& downgrade : plan.promise.downgrades) {
    if (downgrade.layer != Layer::network) continue;
    downgrade.reason += "; the script has the host's network";
    return;
  }
}

}  // namespace

Decision decide(Plan plan, const EnforcedLayers& must_hold) {
  const Policy& policy = plan.promise.requested;
  const bool fails = policy.enabled && policy.on_unavailable == OnUnavailable::fail;
  const auto& downgrades = plan.promise.downgrades;
  if (std::any_of(downgrades.begin(), downgrades.end(),
                  [&](const Downgrade& one) { return fails || must_hold.holds(one.layer); })) {
    return Refusal{std::move(plan.promise)};
  }
  report_open_network(plan);
  return plan;
}

void report_fail_closed(EffectiveSandbox& report) {
  report.downgrades.push_back(Downgrade{Layer::network, fail_closed_reason});
}

}  // namespace satellite::sandbox
