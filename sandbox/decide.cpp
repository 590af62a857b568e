#include "sandbox/decide.hpp"

#include "sandbox/policy_provider.hpp"

#include <utility>

namespace satellite::sandbox {

Decision decide(Plan plan) {
  const Policy& policy = plan.promise.requested;
  if (policy.enabled && policy.on_unavailable == OnUnavailable::fail &&
      !plan.promise.downgrades.empty()) {
    return Refusal{std::move(plan.promise)};
  }
  return plan;
}

void report_fail_closed(EffectiveSandbox& report) {
  report.downgrades.push_back(Downgrade{Layer::network, fail_closed_reason});
}

}  // namespace satellite::sandbox
