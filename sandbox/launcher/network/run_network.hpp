#pragma once

#include "sandbox/launcher/network/loopback_forwarder.hpp"
#include "sandbox/launcher/network/network_builder.hpp"
#include "sandbox/launcher/network/slirp4netns.hpp"
#include "sandbox/launcher/verify/measure.hpp"

#include <chrono>
#include <memory>
#include <optional>

namespace satellite::sandbox {

/// The network of one run, from its builder to the end of its uplink. Single use.
///
/// Shape:  building -> built -> raise() -> (slirp4netns, then the forwarder of loopback ports) ->
///         ready, and from each of them -> ended, by a failure or by end(). Nothing leads out of
///         ended: an answer that arrives later starts nothing. Nothing here waits: the loop calls
///         on_readable() and on_exit(). Once has_namespace(), a run may enter: the filter is loaded
///         and there is no way out yet, or only a filtered one. The run is started first, so that
///         it is made beside slirp4netns and forwarder. A script must not be let go before
///         is_ready().
class RunNetwork {
 public:
  using Clock = std::chrono::steady_clock;

  /// Errors: the fork.
  static SetupResult<std::unique_ptr<RunNetwork>> begin(const LaunchOrder& order,
                                                        const NetworkMeans& means);
  /// Of a run without a way out; it has its namespace from the beginning.
  static std::unique_ptr<RunNetwork> begin_with(const LaunchOrder& order, const NetworkMeans& means,
                                                NetworkNamespace ready);
  ~RunNetwork();
  RunNetwork(const RunNetwork&) = delete;
  RunNetwork& operator=(const RunNetwork&) = delete;

  /// What to wait for next; -1 = nothing.
  int watched_fd() const;
  void on_readable();
  /// Whether the process was one of ours.
  bool on_exit(pid_t pid);
  void fail_if_overdue(Clock::time_point now);
  std::optional<Clock::time_point> deadline() const;

  /// Once, when has_namespace(): starts what the run needs besides. What fails is a failure().
  void raise();

  bool has_namespace() const { return bool{namespace_.network_namespace}; }
  bool is_ready() const { return stage_ == Stage::ready; }
  const std::optional<RunSetupFailed>& failure() const { return failure_; }
  /// slirp4netns or the forwarder died although the run needed it.
  bool lost_uplink() const { return lost_uplink_; }
  const NetworkNamespace& namespaces() const { return namespace_; }
  NetworkFacts facts() const { return facts_; }

  /// After the run joined them nobody else may.
  void close_namespaces() { namespace_ = NetworkNamespace{}; }
  /// Ends what is alive; it is over when is_over() after its last on_exit().
  void end();
  bool is_over() const { return builder_ < 0 && uplink_.pid < 0 && forwarder_.pid < 0; }
  /// The processes that are ours now.
  std::vector<pid_t> processes() const;

 private:
  enum class Stage { building, built, raising_uplink, raising_ports, ready, ended };

  RunNetwork(const LaunchOrder& order, const NetworkMeans& means);
  void on_built(SetupResult<NetworkNamespace> built);
  void go_on_with(NetworkNamespace made);
  void fail(SetupStep step, std::string text);
  void take_builder_message();
  bool start_forwarder();
  void go_on_behind_uplink();
  void take_uplinks_byte();
  void take_forwarders_byte();
  void check_uplink_process();

  Egress egress_ = Egress::routeless;
  bool is_below_parents_ = false;
  Fault fault_;
  Stage stage_ = Stage::building;
  Clock::time_point deadline_;
  pid_t builder_ = -1;
  UniqueFd builder_pidfd_, answer_;
  NetworkNamespace namespace_;
  NetworkFacts facts_;
  Slirp4netns uplink_;
  ForwarderWish wish_;
  int forwarder_program_ = -1;
  LoopbackForwarder forwarder_;
  std::optional<RunSetupFailed> failure_;
  bool lost_uplink_ = false;
};

}  // namespace satellite::sandbox
