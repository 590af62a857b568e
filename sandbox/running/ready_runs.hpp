#pragma once

#include "sandbox/running/prepared_memory.hpp"
#include "sandbox/running/prepared_runs.hpp"
#include "sandbox/running/run_planner.hpp"
#include "sandbox/running/runner.hpp"
#include "sandbox/running/standing_runs.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace satellite::sandbox {

/// Everything of a runner that stands ready: sandboxes for shells, sandboxes for modules, and
/// runtimes in sandboxes of their own, together within one bound of memory.
class ReadyRuns {
 public:
  /// The planner must outlive it.
  ReadyRuns(boost::asio::io_context& context, Launcher& launcher, const RunPlanner& planner);
  ReadyRuns(const ReadyRuns&) = delete;
  ReadyRuns& operator=(const ReadyRuns&) = delete;

  std::optional<PreparedRuns::Ready> take_for_shell(const ResolvedPolicy& policy) {
    return prepared_.take(policy);
  }
  /// Only what a standing run can be given: everything else starts cold (module_environment).
  std::optional<StandingRuns::Ready> take_standing(const RunRequest& request,
                                                   const ResolvedPolicy& policy,
                                                   const ModuleRuntime& runtime);
  boost::asio::awaitable<Result<void>> counted_again(StandingRuns::Ready& ready) {
    return standing_.counted_again(ready);
  }
  /// For a module that no standing runtime can serve: a sandbox that lacks the start, too.
  std::optional<PreparedRuns::Ready> take_for_module(const RunRequest& request,
                                                     const ResolvedPolicy& policy,
                                                     const ModuleRuntime& runtime);

  /// For as long as a module runs: another one is not made beside it, which takes the processors
  /// that it needs.
  class ModuleRunning {
   public:
    explicit ModuleRunning(ReadyRuns& owner) : owner_(owner), owner_lives_(owner.lives_) {
      owner_.module_begins();
    }
    // A loop that ends gives up its runs after their runner.
    ~ModuleRunning() {
      if (!owner_lives_.expired()) owner_.module_ends();
    }
    ModuleRunning(const ModuleRunning&) = delete;
    ModuleRunning& operator=(const ModuleRunning&) = delete;

   private:
    ReadyRuns& owner_;
    std::weak_ptr<const bool> owner_lives_;
  };

  void on_dropped(Runner::Dropped dropped) { dropped_ = std::move(dropped); }
  void tell_dropped(std::string_view what, std::string_view why) const {
    if (dropped_) dropped_(what, why);
  }
  std::size_t count_prepared() const;
  std::size_t count_standing() const { return standing_.count_ready(); }
  ByteCount memory_taken() const { return memory_.taken(); }

 private:
  PreparedStock::OwnIdsOf own_ids_rule() const;
  PreparedStock::Dropped telling(const char* what) const;
  void module_begins();
  void module_ends();

  boost::asio::io_context& context_;
  Launcher& launcher_;
  const RunPlanner& planner_;
  Runner::Dropped dropped_;
  PreparedMemory memory_;  ///< outlives those that take of it
  StandingRuns standing_;
  PreparedRuns prepared_;
  std::size_t modules_running_ = 0;
  std::optional<StandingKind> module_kind_;
  std::optional<PreparedRuns> prepared_modules_;
  std::shared_ptr<const bool> lives_ = std::make_shared<const bool>(true);
};

}  // namespace satellite::sandbox
