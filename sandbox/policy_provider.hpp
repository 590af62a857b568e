#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/policy.hpp"

#include <functional>

namespace satellite::sandbox {

/// The policy a run gets, and whether it is the fail-closed one. A run that fell back says so in
/// its report by one synthetic downgrade (fail_closed_reason).
struct ResolvedPolicy {
  Policy policy = fail_closed_policy();
  bool failed_closed = true;
};

extern const char* const fail_closed_reason;

/// The policy in force: fail-closed until a valid one arrived, and again while the source fails.
///
/// Shape:  one source at a time, the last one registered wins; no source = fail-closed.
/// Errors: a source that returns an Error or throws resolves to the fail-closed policy.
/// Source: the provider seed.
class PolicyProvider {
 public:
  using Source = std::function<Result<Policy>()>;
  void register_source(Source source) { source_ = std::move(source); }
  void reset() { source_ = nullptr; }
  ResolvedPolicy resolve() const;

 private:
  Source source_;
};

}  // namespace satellite::sandbox
