#include "sandbox/policy/policy_provider.hpp"

#include <utility>

namespace satellite::sandbox {

const char* const fail_closed_reason =
    "no valid sandbox policy is in force, so the fail-closed profile applies: a run is refused "
    "where its file system or its network cannot be confined, and this report says what was "
    "enforced; check that the core relays a policy and that it is valid";

bool asks_for_the_same(const ResolvedPolicy& a, const ResolvedPolicy& b) {
  return a.policy == b.policy && a.failed_closed == b.failed_closed && a.must_hold == b.must_hold &&
         a.blocked_addresses == b.blocked_addresses &&
         a.require_memory_limit == b.require_memory_limit;
}

ResolvedPolicy PolicyProvider::from_source() const {
  if (!source_) return ResolvedPolicy{};
  try {
    auto policy = source_();
    if (policy) return ResolvedPolicy{std::move(*policy), false};
    ResolvedPolicy closed;
    closed.remarks.push_back({Layer::network, policy.error().message});
    return closed;
  } catch (...) {
    // A source that breaks must not widen the sandbox; it reports its trouble itself.
  }
  return ResolvedPolicy{};
}

ResolvedPolicy PolicyProvider::resolve() const {
  ResolvedPolicy resolved = from_source();
  if (remark_) resolved.remarks.push_back({Layer::network, *remark_});
  return resolved;
}

}  // namespace satellite::sandbox
