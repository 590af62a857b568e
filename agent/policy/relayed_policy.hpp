#pragma once

#include "agent/runtime/log.hpp"
#include "sandbox/policy_provider.hpp"

#include <string>

namespace satellite::agent {

/// The cluster's policy as the core relays it, made the active provider.
///
/// Shape:  a valid policy replaces the one before and is kept across disconnects for the life of
///         the process, never on disk. One that is invalid closes the door: every run from then on
///         gets the fail-closed profile, until a valid one arrives.
/// Source: spec/core-contract.md 1.7; the provider seed.
class RelayedPolicy {
 public:
  RelayedPolicy(sandbox::PolicyProvider& provider, Log& log) : provider_(provider), log_(log) {}

  void receive(const std::string& policy_json);

 private:
  sandbox::PolicyProvider& provider_;
  Log& log_;
};

}  // namespace satellite::agent
