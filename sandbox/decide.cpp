#include "sandbox/decide.hpp"

#include "sandbox/policy_provider.hpp"

#include <utility>

namespace satellite::sandbox {
namespace {

/// A refused run has no network at all, so what a missing layer leaves open is said only of a run
/// that goes on.
void tell_open_network(Plan& plan) {
  if (plan.egress != Egress::host || plan.promise.enforced.network) return;
  for (Downgrade& downgrade : plan.promise.downgrades) {
    if (downgrade.layer != Layer::network) continue;
    downgrade.reason += "; the script has the host's network";
    return;
  }
}

}  // namespace

Decision decide(Plan plan) {
  const Policy& policy = plan.promise.requested;
  if (policy.enabled && policy.on_unavailable == OnUnavailable::fail &&
      !plan.promise.downgrades.empty()) {
    return Refusal{std::move(plan.promise)};
  }
  tell_open_network(plan);
  return plan;
}

void report_fail_closed(EffectiveSandbox& report) {
  report.downgrades.push_back(Downgrade{Layer::network, fail_closed_reason});
}

}  // namespace satellite::sandbox
