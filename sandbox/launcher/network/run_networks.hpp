#pragma once

#include "sandbox/launcher/network/run_network.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"

#include <poll.h>
#include <functional>
#include <map>
#include <span>

namespace satellite::sandbox {

/// The networks of all runs that have one of their own that the launcher makes before the run: made
/// beside the other runs' work, and gone before a run's last record is sent.
///
/// Shape:  a run waits here with its order until it may join. One macvlan address serves one run
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
    /// A network that stands ready and does for this order, if there is one.
    std::function<std::optional<NetworkNamespace>(const LaunchOrder&)> take_ready;
    /// The namespaces exist: start the run inside.
    std::function<SetupResult<void>(Waiting, const NetworkNamespace&)> may_join;
    /// Everything is up: the script may be measured and let go.
    std::function<void(std::uint64_t run_number, const NetworkFacts&)> ready;
    /// The uplink failed under a run that was started already; it must end.
    std::function<void(std::uint64_t run_number, const RunSetupFailed&)> failed;
    /// The last record of a run.
    std::function<void(const LauncherRecord&)> ended;
  };

  RunNetworks(NetworkMeans means, Events events)
      : means_(std::move(means)), events_(std::move(events)) {}

  /// From now on networks are made below this user namespace, which outlives this object.
  void make_below(int parent_user_namespace) {
    means_.parent_user_namespace = parent_user_namespace;
  }
  void begin(Waiting run);
  /// Ends a run that has not joined yet; others are for their LaunchedRun to end.
  void cancel(std::uint64_t run_number);
  /// Nothing in the run needs its way out any more. Whether it was lost before that.
  bool end_uplink(std::uint64_t run_number);
  /// Takes the last record of a run whose network has to be ended first; false = it has none.
  bool close(LauncherRecord record);
  /// The same for a run whose end was reported already.
  void close_silently(std::uint64_t run_number);
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
  /// What a run with a network is waiting for.
  enum class Stage {
    queued,    ///< has no network yet: its macvlan address serves another run
    building,  ///< its network is made; the run has not been started
    joined,    ///< the run was started inside; its uplink may still be on its way up
    reported,  ///< `ready` or `failed` was called
    closing    ///< the run is over; the entry goes when its network's processes are reaped
  };
  struct Entry {
    Stage stage = Stage::queued;
    Egress egress = Egress::routeless;
    std::optional<Waiting> waiting;       ///< queued, building: the run to start
    std::unique_ptr<RunNetwork> network;  ///< absent while queued, or when it could not be begun
    std::optional<LauncherRecord> last_record;  ///< closing: sent when the network is gone
  };
  using Entries = std::map<std::uint64_t, Entry>;

  bool macvlan_is_taken() const;
  void close_entry(Entry& entry, std::optional<LauncherRecord> last_record);
  void start_network(Entry& entry);
  void start_run(Entry& entry);
  void report(std::uint64_t run_number, Entry& entry);
  void advance(std::uint64_t run_number);
  void advance_all();

  NetworkMeans means_;
  Events events_;
  Entries entries_;  ///< run numbers grow, so this is the order in which they came
};

}  // namespace satellite::sandbox
