#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/identity_pool.hpp"
#include "sandbox/launcher/launch_order.hpp"
#include "sandbox/launcher/records.hpp"
#include "sandbox/launcher_settings.hpp"

#include <sys/types.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace satellite::sandbox {

/// The agent's end of one run in the launcher: what the launcher says about it, as it says it.
///
/// Shape:  first RunStarted, if the script got that far, and then exactly one of the other events;
///         RunEnded with an unknown status also stands for a launcher that is gone. arrived() waits
///         until take() has something; it may be abandoned at any time without losing an event.
class LaunchedRunLink {
 public:
  struct State;
  explicit LaunchedRunLink(std::shared_ptr<State> state);
  LaunchedRunLink(LaunchedRunLink&&) noexcept;
  ~LaunchedRunLink();

  boost::asio::awaitable<void> arrived() const;
  std::optional<LauncherRecord> take();
  /// TERM to the script's process group, or KILL to the whole tree. Both idempotent.
  void terminate();
  void kill();

 private:
  std::shared_ptr<State> state_;
};

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

  struct Streams {
    UniqueFd standard_output, standard_error;  ///< write ends; closed here once they are sent
  };
  /// Sends the order. A lease is held until nothing of the run is left.
  /// Errors: unavailable (launcher gone), limit_exceeded (order too long).
  Result<LaunchedRunLink> start_run(const LaunchOrder& order, Streams streams,
                                    std::optional<IdentityPool::Lease> lease = std::nullopt);
  /// The ids set aside for runs; null = none are, or nobody could change to them.
  IdentityPool* identities();

  /// Tries namespaces in a throw-away child; the answer is that of a run.
  Result<LaunchedRunLink> start_namespaces(const std::optional<Identity>& identity);

  /// The directory whose direct children may be scratch directories of runs.
  const std::string& scratch_area() const;
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
