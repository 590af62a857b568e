#pragma once

#include "sandbox/host/host_facts.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"
#include "sandbox/planning/build_plan.hpp"
#include "sandbox/policy/policy_provider.hpp"
#include "sandbox/running/runner.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace satellite::sandbox {

/// The number of a run in its launcher, and its identity where it has one of its own.
struct RunSlot {
  std::uint64_t number = 0;
  std::optional<OwnIdentity> own_identity;
  std::optional<ModuleRuntime> runtime{};  ///< of a module
};

/// Whether a module has a variable that its runtime has to be started with.
bool needs_own_start(const RunRequest& request);

/// Makes the plan and the launch order of a request, from this process's environment and the facts
/// of its host.
class RunPlanner {
 public:
  RunPlanner(Launcher& launcher, RunnerSettings settings);

  Decision decide(const RunRequest& request, const ResolvedPolicy& policy,
                  const RunSlot& slot) const;
  Result<LaunchOrder> order_for(const Plan& plan, const RunRequest& request,
                                const RunSlot& slot) const;
  /// Whether runs stand prepared with what this one may see of the host.
  bool may_use_prepared(const RunRequest& request) const;
  /// Whether a runtime may be started before it is known whose state its script is to find.
  bool may_stand() const;
  /// What the bootstrap of a module run is to read. Errors: limit_exceeded.
  static Result<std::string> task_for(const Plan& plan, const RunRequest& request);
  /// The order of a run that has nothing to do yet.
  Result<LaunchOrder> order_without_task(const ResolvedPolicy& policy, const RunSlot& slot) const;
  /// That of a module run whose runtime is started before there is a task.
  Result<LaunchOrder> order_of_standing(const ResolvedPolicy& policy, const RunSlot& slot,
                                        const std::string& node_modules) const;

  const RunnerSettings& settings() const { return settings_; }
  HostFacts facts{};

 private:
  Result<LaunchOrder> order_of_nothing(const RunRequest& nothing, const ResolvedPolicy& policy,
                                       const RunSlot& slot) const;

  Launcher& launcher_;
  RunnerSettings settings_;
  std::map<std::string, std::string> base_environment_;
};

}  // namespace satellite::sandbox
