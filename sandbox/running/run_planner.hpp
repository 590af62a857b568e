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

/// What a run is called in its launcher, and who it is where it has an identity of its own.
struct RunPlace {
  std::uint64_t number = 0;
  std::optional<Identity> own_identity;
};

/// From a request to the launcher's order, with what this process and its host are.
class RunPlanner {
 public:
  RunPlanner(Launcher& launcher, RunnerSettings settings);

  Decision decide(const RunRequest& request, const ResolvedPolicy& policy,
                  const RunPlace& place) const;
  Result<LaunchOrder> order_for(const Plan& plan, const RunRequest& request,
                                const RunPlace& place) const;
  /// The order of a run that has nothing to do yet.
  Result<LaunchOrder> order_without_task(const ResolvedPolicy& policy, const RunPlace& place) const;

  const RunnerSettings& settings() const { return settings_; }
  HostFacts facts{};

 private:
  Launcher& launcher_;
  RunnerSettings settings_;
  std::map<std::string, std::string> base_environment_;
};

}  // namespace satellite::sandbox
