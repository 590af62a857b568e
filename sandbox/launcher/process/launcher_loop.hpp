#pragma once

#include "sandbox/launcher/network/network_stock.hpp"
#include "sandbox/launcher/network/run_networks.hpp"
#include "sandbox/launcher/process/launched_run.hpp"
#include "sandbox/launcher/process/root_templates.hpp"
#include "sandbox/launcher/process/scratch_removals.hpp"
#include "sandbox/launcher/process/state_copies.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace satellite::sandbox {

/// The launcher while it works: one poll loop over the agent, the signals, the runs and their
/// networks.
class LauncherLoop {
 public:
  LauncherLoop(UniqueFd agent, UniqueFd signals, LauncherState state, NetworkMeans means)
      : agent_(std::move(agent)),
        signals_(std::move(signals)),
        state_(std::move(state)),
        networks_(std::move(means), network_events()),
        templates_(state_.is_root, state_.scratch.path(), state_.made_ahead.root,
                   state_.unused_roots),
        removals_(state_.scratch),
        copies_(state_.landlock_abi) {}

  /// Until the agent is gone.
  void serve();
  void end_all_runs();

 private:
  using Clock = std::chrono::steady_clock;
  using Runs = std::vector<std::unique_ptr<LaunchedRun>>;

  void turn();
  int wait_milliseconds() const;
  void on_agent();
  void fail_for_lack_of_descriptors(const LauncherRequest& request);
  void on_request(const LauncherRequest& request, std::vector<UniqueFd> descriptors);
  void start_run(std::uint64_t number, std::vector<UniqueFd> descriptors, Task task);
  void begin_run(std::uint64_t number, std::vector<UniqueFd> descriptors);
  RunNetworks::Events network_events();
  /// `network` is that of the place, where it was taken from the stock.
  SetupResult<void> launch(RunNetworks::Waiting run, RunPlace place, UniqueFd network);
  std::optional<RunRefused> refusal_of(const LaunchOrder& order) const;
  SetupResult<void> check_room(const LaunchOrder& order) const;
  bool user_id_is_taken(const LaunchOrder& order) const;
  void report_standing(LaunchedRun& run, const std::optional<LauncherRecord>& record);
  void bring_down(LaunchedRun& run);
  void on_copied(const StateCopies::Ended& copy);
  void on_signals();
  void send(const LauncherRecord& record);
  LaunchedRun* find(std::uint64_t number);

  /// A run whose init was reaped while processes that it started may be left: orphans, which the
  /// kernel gives to the launcher, a child subreaper.
  struct EndedRun {
    std::unique_ptr<LaunchedRun> run;
    std::optional<LauncherRecord> record;  ///< of its end, until it is reported
    Clock::time_point give_up_at;
  };

  void reap();
  void finish(Runs::iterator run);
  void complete(EndedRun ended);
  void report_end(const LauncherRecord& record);
  bool kill_orphans();
  void kill_overdue_runs(Clock::time_point now);
  void look_for_orphans(Clock::time_point now);
  std::size_t unkillable_runs() const;
  bool may_report_early() const;
  bool is_quiet() const;
  bool takes_ready_network(const LaunchOrder& order) const;
  std::optional<NetworkNamespace> take_ready_network(const LaunchOrder& order);
  void refill_stock();

  UniqueFd agent_, signals_;
  LauncherState state_;
  Runs runs_;
  RunNetworks networks_;
  RootTemplates templates_;
  NetworkStock stock_;
  ScratchRemovals removals_;
  StateCopies copies_;
  std::vector<EndedRun> ended_runs_;
  Clock::time_point orphan_look_at_{};
  Clock::duration orphan_pause_{};
  bool agent_gone_ = false;
};

}  // namespace satellite::sandbox
