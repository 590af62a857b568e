#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/host/module_runtime.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/report/run_request.hpp"
#include "sandbox/running/prepared_stock.hpp"
#include "sandbox/running/runner.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace satellite::sandbox {

/// For what a standing run is made, and the only thing that it may be used for.
struct StandingKind {
  ResolvedPolicy policy;
  ModuleRuntime runtime;
  std::string node_modules;  ///< empty = no packages
};

StandingKind standing_kind_of(const RunRequest& request, const ResolvedPolicy& policy,
                              const ModuleRuntime& runtime);

/// Runtimes that stand behind every layer with their bootstrap loaded and wait for a task, each
/// used once.
///
/// Shape:  a prepared run that has gone one step further: it was let go, has said that it is ready,
///         and was measured from outside. At hand-over it is measured again; whatever differs drops
///         it, and the run starts cold. PreparedRunPolicy says how many there are, for how long;
///         PreparedMemory, how much memory they may take.
/// Source: sandbox/README.md "Scripts in JavaScript".
class StandingRuns {
 public:
  /// The order of a run that has its command and no task yet. An error, or an order that cannot be
  /// prepared, means that runs of this kind start cold.
  using MakeOrder = std::function<Result<LaunchOrder>(
      const StandingKind& kind, std::uint64_t number, const std::optional<OwnIdentity>& own)>;

  /// `memory` must outlive it.
  StandingRuns(boost::asio::io_context& context, Launcher& launcher,
               const StandingSettings& settings, PreparedMemory& memory, MakeOrder make_order,
               PreparedStock::OwnIdsOf own_ids, PreparedStock::Dropped dropped);
  ~StandingRuns();
  StandingRuns(const StandingRuns&) = delete;
  StandingRuns& operator=(const StandingRuns&) = delete;

  struct Ready {
    std::uint64_t number = 0;
    std::optional<OwnIdentity> own_identity;
    std::string setup;   ///< bytes of the order that it was made by, without its task
    RunStarted started;  ///< as it was measured at its barrier
    UniqueFd standard_output, standard_error, answer;  ///< read ends
    UniqueFd task;                                     ///< write end
    LaunchedRunLink link;
  };
  /// One that stands for this, if there is one; more are made in a moment. The launcher counts it
  /// again from now on.
  std::optional<Ready> take(const StandingKind& kind);
  /// Whether it was found unchanged: only then it may get its task. Errors: unavailable = what
  /// differs. The caller keeps what was taken until this returns.
  boost::asio::awaitable<Result<void>> counted_again(Ready& ready);
  std::size_t count_ready() const;
  /// As PreparedRunPolicy.
  void busy();
  void idle();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// How many module runs like this one may stand beside those that run; see prepared_runs_max. Pure.
std::size_t standing_runs_max(const LaunchOrder& order);

}  // namespace satellite::sandbox
