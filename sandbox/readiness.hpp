#pragma once

#include "sandbox/host_facts.hpp"

#include <string>
#include <vector>

namespace satellite::sandbox {

/// Whether this host can keep every layer of the shipped default policy, and if not, what to do.
///
/// Shape:  an assessment only: nothing becomes looser because of it. `guidance` and the banner are
///         empty when the host is ready.
/// Source: the readiness seed; core-contract 8.
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

HostReadiness assess_readiness(const HostFacts& facts);

/// The guidance between two rules, headline first so that it carries the log's level.
std::string readiness_banner(const HostReadiness& readiness);

}  // namespace satellite::sandbox
