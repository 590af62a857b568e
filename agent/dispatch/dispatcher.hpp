#pragma once

#include "agent/dispatch/admission.hpp"
#include "agent/dispatch/run_journal.hpp"
#include "agent/dispatch/run_pipeline.hpp"
#include "agent/outbound/run_services.hpp"
#include "agent/runtime/process_time.hpp"
#include "agent/runtime/task_group.hpp"
#include "protocol/dispatch_messages.hpp"

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>

namespace satellite::agent {

/// Scripts the core dispatches: admitted once, started in turn, cancelled on request, each ended by
/// exactly one `script_finished`.
///
/// Shape:  owns the runs; a connection that goes does not touch them. The policy of a run is the
///         one in force when it starts. An id is written before its script starts, and before the
///         core hears of it; runs that an earlier process left without an end are `interrupted`.
///         Until the disk has told which ids are known, nothing is accepted.
/// Source: dispatch-extension.
class Dispatcher {
 public:
  using Execute = boost::asio::awaitable<RunPipelineOutcome> (*)(RunPipelineDependencies,
                                                                 RunPipelineInput);
  /// `execute` differs from the default only in tests of a run that breaks.
  explicit Dispatcher(RunServices services, Execute execute = execute_run);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  void receive(protocol::RunScript message);
  void receive(protocol::RejectedRunScript message);
  void receive(protocol::CancelScript message);
  void receive(protocol::QueryScript message);
  void receive(protocol::ScriptAck message);

  /// Takes nothing new from now on and ends what only waits as `interrupted`; what runs goes on.
  void admit_no_more();
  /// Until no run is under way, or the wait is cancelled.
  boost::asio::awaitable<void> idle() { return tasks_.idle(); }
  std::size_t running() const { return admission_.running(); }
  std::size_t queued() const { return admission_.queued(); }
  /// Takes nothing new, ends every run as `interrupted` and waits for the last.
  boost::asio::awaitable<void> stop();

 private:
  struct ActiveRun;
  class RunSlot;
  using Message = std::variant<protocol::RunScript, protocol::RejectedRunScript,
                               protocol::CancelScript, protocol::QueryScript, protocol::ScriptAck>;

  /// Keeps the message for later as long as the disk has not told what it knows.
  template <typename One>
  bool is_too_early(One& message);
  void take_early();
  void restore(const StoreSnapshot& snapshot);
  void interrupt(const StoredRun& run);
  /// The disk has the id, or takes nothing.
  void journalled(const RunId& id, std::uint64_t position);
  void go_on_without_disk();

  /// What a run would get now, the operator's word included.
  sandbox::Policy policy_in_force() const;
  void note_end(const RunId& id, const sandbox::RunResult& result,
                std::optional<std::chrono::microseconds> setup = std::nullopt);
  void reject(const RunId& id, protocol::RejectionCode code, const std::string& message);
  void answer_status(const RunId& id);
  void forget_old_runs();
  void start_what_fits();
  void end_expired();
  void end_unstarted(const RunId& id, sandbox::Outcome outcome, const std::string& why);
  boost::asio::awaitable<void> run(std::shared_ptr<ActiveRun> run);
  boost::asio::awaitable<void> run_to_its_end(std::shared_ptr<ActiveRun> run);
  /// An exception ended the run: it still sends the one `script_finished` that the core waits for.
  void end_broken(const RunId& id, const std::exception_ptr& broken);
  void finish(const RunId& id, protocol::RunStream& stream, protocol::ScriptFinished message);

  RunServices services_;
  Execute execute_;
  AdmissionQueue admission_;
  RunJournal journal_;
  ProcessTime time_;
  std::unordered_map<RunId, std::shared_ptr<ActiveRun>> runs_;  ///< accepted and not ended
  std::deque<Message> early_;
  bool restored_ = false;
  std::uint64_t accepted_ = 0;
  bool stopping_ = false;
  TaskGroup tasks_;
};

}  // namespace satellite::agent
