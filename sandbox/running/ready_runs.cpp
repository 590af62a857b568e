#include "sandbox/running/ready_runs.hpp"

#include "sandbox/planning/identity_plan.hpp"

#include <utility>

namespace satellite::sandbox {

namespace asio = boost::asio;

ReadyRuns::ReadyRuns(asio::io_context& context, Launcher& launcher, const RunPlanner& planner)
    : context_(context),
      launcher_(launcher),
      planner_(planner),
      memory_(planner.settings().prepared_memory),
      standing_(
          context, launcher, planner.settings().standing_modules, memory_,
          [this](const StandingKind& kind, std::uint64_t number,
                 const std::optional<OwnIdentity>& own) {
            return planner_.order_of_standing(kind.policy, {number, own, kind.runtime},
                                              kind.node_modules);
          },
          own_ids_rule(), telling("standing_runtime")),
      prepared_(
          context, launcher, planner.settings().prepared_runs, memory_,
          [this](const ResolvedPolicy& policy, std::uint64_t number,
                 const std::optional<OwnIdentity>& own) {
            return planner_.order_without_task(policy, {number, own});
          },
          own_ids_rule(), telling("prepared_run")) {}

PreparedStock::OwnIdsOf ReadyRuns::own_ids_rule() const {
  return [this](const ResolvedPolicy& policy) {
    return own_ids_of(policy.policy, planner_.facts, planner_.settings().host_view);
  };
}

PreparedStock::Dropped ReadyRuns::telling(const char* what) const {
  return [this, what](std::string_view why) { tell_dropped(what, why); };
}

void ReadyRuns::module_begins() {
  ++modules_running_;
  standing_.busy();
  if (prepared_modules_) prepared_modules_->busy();
}

void ReadyRuns::module_ends() {
  if (--modules_running_ > 0) return;
  standing_.idle();
  if (prepared_modules_) prepared_modules_->idle();
}

std::optional<StandingRuns::Ready> ReadyRuns::take_standing(const RunRequest& request,
                                                            const ResolvedPolicy& policy,
                                                            const ModuleRuntime& runtime) {
  if (request.has_standard_input || request.working_directory || needs_own_start(request)) {
    return std::nullopt;
  }
  return standing_.take(standing_kind_of(request, policy, runtime));
}

std::optional<PreparedRuns::Ready> ReadyRuns::take_for_module(const RunRequest& request,
                                                              const ResolvedPolicy& policy,
                                                              const ModuleRuntime& runtime) {
  StandingKind kind = standing_kind_of(request, policy, runtime);
  const bool is_same = module_kind_ && module_kind_->runtime == kind.runtime &&
                       module_kind_->node_modules == kind.node_modules;
  module_kind_ = std::move(kind);
  if (!is_same) {
    prepared_modules_.emplace(
        context_, launcher_, planner_.settings().prepared_runs, memory_,
        [this](const ResolvedPolicy& wanted, std::uint64_t number,
               const std::optional<OwnIdentity>& own) {
          return planner_.order_of_standing(wanted, {number, own, module_kind_->runtime},
                                            module_kind_->node_modules);
        },
        own_ids_rule(), telling("prepared_run"));
    prepared_modules_->busy();
  }
  return prepared_modules_->take(policy);
}

std::size_t ReadyRuns::count_prepared() const {
  return prepared_.count_ready() + (prepared_modules_ ? prepared_modules_->count_ready() : 0);
}

}  // namespace satellite::sandbox
