#pragma once

#include "protocol/vocabulary/result.hpp"
#include "sandbox/policy/layers.hpp"
#include "sandbox/policy/policy.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// The policy a run gets, and whether it is the fail-closed one. A run that fell back says so in
/// its report by one synthetic downgrade (fail_closed_reason), and is refused where its file system
/// or its network cannot be confined.
///
/// Shape:  `policy` is what holds, the operator's word included (operators_word.hpp).
struct ResolvedPolicy {
  Policy policy = fail_closed_policy();
  bool failed_closed = true;
  EnforcedLayers must_hold{};   ///< without these no script starts, also under `degrade`
  std::vector<Note> remarks{};  ///< for the report: what the operator restricted, stale policies
  std::vector<std::string> blocked_addresses{};  ///< never reached through a packet filter of ours
  bool require_memory_limit = false;             ///< a run whose memory nothing limits is refused
};

/// Whether runs under both get the same sandbox: everything but the remarks is equal.
bool asks_for_the_same(const ResolvedPolicy& a, const ResolvedPolicy& b);

extern const char* const fail_closed_reason;

/// The policy in force: fail-closed until a valid one arrived, and again while the source fails.
///
/// Shape:  one source at a time, the last one registered wins; no source = fail-closed.
/// Errors: a source that returns an Error or throws resolves to the fail-closed policy; an error's
///         text stands in the report.
/// Source: reference-satellite 2.
class PolicyProvider {
 public:
  using Source = std::function<Result<Policy>()>;
  void register_source(Source source) { source_ = std::move(source); }
  void reset() { source_ = nullptr; }
  /// Stands in the report of every run until another one replaces it.
  void set_remark(std::optional<std::string> remark) { remark_ = std::move(remark); }
  ResolvedPolicy resolve() const;

 private:
  ResolvedPolicy from_source() const;

  Source source_;
  std::optional<std::string> remark_;
};

}  // namespace satellite::sandbox
