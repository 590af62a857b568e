#include "sandbox/policy_provider.hpp"

#include <utility>

namespace satellite::sandbox {

const char* const fail_closed_reason =
    "no valid sandbox policy is in force: this run got the fail-closed one (no network access, "
    "read-only system, scratch directory, dropped privileges); check that the core relays a policy "
    "and that it is valid";

ResolvedPolicy PolicyProvider::resolve() const {
  if (!source_) return ResolvedPolicy{};
  try {
    auto policy = source_();
    if (policy) return ResolvedPolicy{std::move(*policy), false};
  } catch (...) {
    // A source that breaks must not widen the sandbox; it reports its trouble itself.
  }
  return ResolvedPolicy{};
}

}  // namespace satellite::sandbox
