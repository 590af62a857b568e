#pragma once

#include "agent/checks/script_check.hpp"
#include "agent/checks/script_slots.hpp"
#include "agent/checks/secret_fetch.hpp"
#include "agent/outbound/run_services.hpp"
#include "agent/runtime/task_group.hpp"
#include "agent/schedule/timetable.hpp"
#include "protocol/core_messages.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace satellite::agent {

/// The checks of this satellite: takes sets of assignments, sleeps until one is due, runs it, hands
/// its result to the outbox.
///
/// Shape:  goes on while the core is away. A set replaces the one before by value and is taken in
///         pieces of a few milliseconds, so that nothing else has to wait for a large one; one that
///         arrives meanwhile takes its place. Health checks have places of their own: dispatched
///         automation can neither take them nor lose its own to them.
/// Source: core-contract 2.
class Scheduler {
 public:
  Scheduler(RunServices services, SecretFetch& secrets);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// A full set.
  void receive(protocol::AssignmentSet assignments);

  /// Until stop().
  boost::asio::awaitable<void> run();
  /// Starts no check from now on; those that run go on and are reported.
  void start_no_more();
  /// Until no check is under way, or the wait is cancelled.
  boost::asio::awaitable<void> idle() { return tasks_.idle(); }
  std::size_t running() const { return tasks_.size(); }
  std::size_t checks() const { return timetable_.checks(); }
  /// Checks that did not run because their secrets could not be fetched without a core.
  std::uint64_t skipped() const { return skipped_; }
  /// Ends every run, reports none of them, and waits for the last.
  boost::asio::awaitable<void> stop();

 private:
  struct Intake;
  struct Rejections;
  struct ActiveCheck;

  bool apply_slice();
  void offer(protocol::Assignment assignment);
  void report_invalid_assignments(const protocol::AssignmentSet& assignments);
  /// A check that cannot run has one unhealthy result, and another only when its reason changes.
  void begin_rejections(std::vector<protocol::RejectedAssignment> rejected);
  bool report_rejections();
  void report_rejected(const protocol::RejectedAssignment& rejected);
  void log_set_applied();
  void start_run(Timetable::Start start);
  boost::asio::awaitable<void> run_check(std::shared_ptr<ActiveCheck> active);
  void report(const ActiveCheck& active, CheckOutcome end);
  void report_broken(const ActiveCheck& active);
  void note_status(const std::string& key, const CheckOutcome& end);
  void stop_runs(const std::vector<std::uint64_t>& runs);
  void stop_overdue();
  void wake();

  RunServices services_;
  Timetable timetable_;
  ScriptSlots slots_;
  SecretFetch& secrets_;
  std::unique_ptr<Intake> intake_;  ///< the set that is being taken
  std::unordered_map<std::uint64_t, std::shared_ptr<ActiveCheck>> active_;
  std::unordered_set<std::string> unhealthy_;  ///< keys whose last result was
  std::unique_ptr<Rejections> rejections_;     ///< of the latest set, not all reported yet
  std::unordered_set<std::string> rejected_;   ///< keys and reasons that were reported
  std::size_t dropped_before_ = 0;             ///< by the outbox, when the latest set came
  std::uint64_t skipped_ = 0;
  boost::asio::steady_timer alarm_;
  bool stopping_ = false;
  TaskGroup tasks_;
};

}  // namespace satellite::agent
