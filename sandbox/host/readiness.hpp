#pragma once

#include "sandbox/host/engines.hpp"
#include "sandbox/host/host_facts.hpp"

#include <string>
#include <vector>

namespace satellite::sandbox {

/// Whether this host can keep every layer of the shipped default policy, and if not, what to do.
///
/// Shape:  an assessment only: nothing becomes looser because of it. `guidance` and the banner are
///         empty when the host is ready.
/// Source: reference-satellite 11; core-contract 8.
struct HostReadiness {
  struct Reason {
    std::string code;  ///< `platform`, `wrapper`, `userns`, `rlimit`
    std::string text;
  };
  bool enforceable = false;
  std::string platform;
  std::vector<Reason> reasons;
  std::string guidance;
};

/// `engines` may be used; `may_be_unconfined` is the operator's word (OperatorsWord).
HostReadiness assess_readiness(const HostFacts& facts,
                               const std::vector<Engine>& engines = all_engines(),
                               bool may_be_unconfined = true);

/// The guidance between two rules, headline first so that it carries the log's level.
std::string readiness_banner(const HostReadiness& readiness);

}  // namespace satellite::sandbox
