#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/client/identity_pool.hpp"
#include "sandbox/launcher/client/launched_run_link.hpp"
#include "sandbox/launcher/wire/launch_order.hpp"
#include "sandbox/launcher/wire/launcher_settings.hpp"
#include "sandbox/launcher/wire/records.hpp"

#include <sys/types.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace satellite::sandbox {

/// A run whose processes did not die when they were killed: its end was told, and what it holds
/// (user id, scratch directory, control group) is set aside until they are gone.
struct UnkillableRun {
  std::uint64_t run_number = 0;
  bool is_there = false;  ///< false: it is gone after all
  std::size_t held = 0;   ///< how many there are now
};

/// The agent's side of the launcher process.
///
/// Shape:  start() forks, so it comes before any thread, TLS state or large allocation; attach()
///         gives it the event loop, which must outlive it. One thread. Destroying it closes the
///         link: the launcher then ends every run and itself.
/// Errors: start: not_permitted, not_found, io_failed (scratch parent, fork). A launcher that goes
///         away ends every run (RunEnded, status unknown) and calls on_gone once.
class Launcher {
 public:
  static Result<std::unique_ptr<Launcher>> start(LauncherSettings settings = {});
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  /// Begins to listen. `on_gone` is called at most once, from the loop.
  void attach(boost::asio::io_context& context, std::function<void()> on_gone);

  /// Called from the loop, once when such a run is set aside and once when it is gone.
  void watch_unkillable(std::function<void(const UnkillableRun&)> watcher);

  /// Closed here once they are sent.
  using Streams = RunStreams;
  /// Sends the order. A lease is held until nothing of the run is left.
  /// Errors: unavailable (launcher gone), limit_exceeded (order too long).
  Result<LaunchedRunLink> start_run(const LaunchOrder& order, Streams streams,
                                    std::optional<IdentityPool::Lease> lease = std::nullopt);
  /// Makes a run up to the point where only its command, environment, directory, standard input and
  /// streams are missing; those of the order are ignored. The link says RunPrepared when it stands.
  Result<LaunchedRunLink> prepare_run(const LaunchOrder& order,
                                      std::optional<IdentityPool::Lease> lease = std::nullopt);
  /// Gives a prepared run, whose link the caller has, what it is missing. A run that was prepared
  /// otherwise than this order says, or is gone, fails in its set-up: the script did not run.
  Result<void> begin_run(const LaunchOrder& order, Streams streams);
  /// The ids set aside for runs; null = none are, or nobody could change to them.
  IdentityPool* identities();

  /// Tries namespaces in a throw-away child; the answer is that of a run.
  Result<LaunchedRunLink> start_namespaces(const std::optional<Identity>& identity);

  /// Where all scratch directories of runs are, and where the one of a run must be.
  const std::string& scratch_area() const;
  std::string scratch_directory(std::uint64_t run_number) const;
  /// Unique in this process; the number a LaunchOrder must carry.
  std::uint64_t next_run_number();
  pid_t pid() const;
  /// Whether it may change identities: it keeps the ids that start() was called with.
  bool is_root() const;
  bool gone() const;

 private:
  struct State;
  explicit Launcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace satellite::sandbox
