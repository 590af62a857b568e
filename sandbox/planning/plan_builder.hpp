#pragma once

#include "sandbox/planning/build_plan.hpp"
#include "sandbox/planning/filesystem_layer.hpp"
#include "sandbox/planning/host_paths.hpp"
#include "sandbox/planning/identity_plan.hpp"
#include "sandbox/planning/network_decision.hpp"

#include <string>
#include <utility>

namespace satellite::sandbox {

/// A plan while build_plan() works on it: what was asked, what was decided so far, and the report
/// that the finished plan promises.
struct PlanBuilder {
  const ResolvedPolicy& resolved;
  const Policy& policy;
  HostFacts facts;
  RunInputs inputs;
  const HostPaths& host;
  Plan plan;
  IdentityPlan identity;
  NetworkDecision network;
  FilesystemLayer wrapper;

  void downgrade(Layer layer, std::string reason) {
    plan.promise.downgrades.push_back(Downgrade{layer, std::move(reason)});
  }
  void note(Layer layer, std::string text) {
    plan.promise.notes.push_back(Note{layer, std::move(text), true});
  }
  EnforcedLayers& enforced() { return plan.promise.enforced; }
  bool wrapped() const { return wrapper.kind == FilesystemLayer::Kind::enforced; }
  bool can_limit() const { return facts.rlimit_native || facts.launcher_sets_rlimits; }
};

}  // namespace satellite::sandbox
