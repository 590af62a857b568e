#pragma once

#include "sandbox/launcher/network/run_network.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"

#include <poll.h>
#include <functional>
#include <map>
#include <span>

namespace satellite::sandbox {

/// The networks of all runs that have one of their own with a way out: made beside the other runs'
/// work, and gone before a run's last record is sent.
///
/// Shape:  a run waits here with its order until it may enter. One macvlan address serves one run
///         at a time; others wait for it in the order in which they came.
class RunNetworks {
 public:
  struct Waiting {
    LaunchOrder order;
    RunStreams streams;
    Task task = Task::given;
  };
  /// What the loop does when something happened here.
  struct Events {
    /// The run may be started inside; returns why it could not.
    std::function<std::optional<RunSetupFailed>(Waiting, const NetworkNamespace&)> may_enter;
    /// Everything is up: the script may be measured and let go.
    std::function<void(std::uint64_t run_number, const NetworkFacts&)> ready;
    /// The uplink failed under a run that was started already; it must end.
    std::function<void(std::uint64_t run_number, const RunSetupFailed&)> failed;
    /// The last record of a run.
    std::function<void(const LauncherRecord&)> ended;
  };

  RunNetworks(NetworkMeans means, Events events)
      : means_(std::move(means)), events_(std::move(events)) {}

  void begin(Waiting run);
  /// Ends a run that has not entered yet; others are for their LaunchedRun to end.
  void cancel(std::uint64_t run_number);
  /// Nothing in the run needs its way out any more. Whether it was lost before that.
  bool end_uplink(std::uint64_t run_number);
  /// Takes the last record of a run whose network has to be ended first; false = it has none.
  bool close(LauncherRecord record);
  /// The same for a run whose end was told already.
  void let_go(std::uint64_t run_number);
  void cancel_all();

  void watch(std::vector<pollfd>& watched) const;
  void work_off(std::span<const pollfd> watched);
  /// Whether the process belonged to a network.
  bool on_exit(pid_t pid);
  void fail_overdue(RunNetwork::Clock::time_point now);
  std::optional<RunNetwork::Clock::time_point> deadline() const;

  /// Whether the way out of a run that waits for its task is gone.
  bool lost_uplink(std::uint64_t run_number) const;
  bool holds(std::uint64_t run_number) const { return entries_.contains(run_number); }
  bool empty() const { return entries_.empty(); }
  std::vector<pid_t> processes() const;

 private:
  struct Entry {
    Egress egress = Egress::routeless;
    std::optional<Waiting> waiting;
    std::unique_ptr<RunNetwork> network;  ///< absent while the macvlan address is in use
    bool told = false;
    bool let_go = false;
    std::optional<LauncherRecord> last_record;
  };
  using Entries = std::map<std::uint64_t, Entry>;

  bool macvlan_is_taken() const;
  void start_network(Entry& entry);
  void advance(std::uint64_t run_number);
  void advance_all();

  NetworkMeans means_;
  Events events_;
  Entries entries_;  ///< run numbers grow, so this is the order in which they came
};

}  // namespace satellite::sandbox
