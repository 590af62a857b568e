#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/process/copied_file_stamps.hpp"
#include "sandbox/launcher/process/run_preparation.hpp"
#include "sandbox/launcher/wire/records.hpp"

#include <sys/types.h>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace satellite::sandbox {

/// Namespaces made for a run beforehand, which it enters first of all; -1 = none.
struct Entrance {
  int user_namespace_fd = -1, network_namespace_fd = -1;
};

/// How many descriptors a script has while it stands at the barrier.
std::uint32_t descriptors_of_script(const LaunchOrder& order);

/// One run inside the launcher: from the fork to the last record.
///
/// Shape:  owns the init's sockets and the scratch directory's name; the loop calls the on_
///         functions when a descriptor is readable or the child was reaped.
class LaunchedRun {
 public:
  using Clock = std::chrono::steady_clock;

  /// Forks. On failure nothing of the run is left.
  static std::variant<std::unique_ptr<LaunchedRun>, RunSetupFailed> start(
      const LaunchOrder& order, RunStreams streams, const LauncherState& state,
      Entrance entrance = {}, Task task = Task::given);

  ~LaunchedRun();

  std::uint64_t number() const { return number_; }
  /// Who the script is, and whether nobody else may be.
  const std::optional<Identity>& identity() const { return identity_; }
  bool identity_is_own() const { return identity_is_own_; }
  pid_t pid() const { return pid_; }
  int control_fd() const { return control_.get(); }
  int barrier_fd() const { return barrier_.get(); }
  /// Init said that it is the last process of the run.
  bool tree_is_dead() const { return ended_.has_value(); }
  /// Somebody removed it while the run stood prepared.
  bool lost_scratch(const kernel::ScratchArea& area) const {
    return !scratch_name_.empty() && !area.holds(scratch_name_);
  }
  /// The scratch directory to remove, handed out once; empty = none.
  std::string take_scratch_name() { return std::exchange(scratch_name_, {}); }

  /// Returns the record to send, if there is one now: RunStarted, after which the script is let go
  /// by release(), or RunPrepared, after which a task may be given by begin().
  std::optional<LauncherRecord> on_barrier(const LauncherState& state);
  /// The run's network has its uplink now: what waited at the barrier for it can be measured.
  std::optional<LauncherRecord> on_network(const NetworkFacts& made, const LauncherState& state);
  bool is_prepared() const { return stage_ == Stage::waiting; }
  /// Any failure ends the run before the script started, as one of its set-up.
  void begin(const LaunchOrder& order, const RunStreams& streams);
  /// The run's network failed under it.
  void fail(const RunSetupFailed& failure);
  void release();
  void on_control();

  /// A native run whose tree is dead: the record of its end, handed out once. Init is the last of
  /// it and holds nothing but namespaces, whose end takes the kernel longer than a script may wait;
  /// the same is true of the program behind its uplink, which was killed.
  std::optional<LauncherRecord> take_early_end(bool lost_uplink);
  /// Lets the init of a run whose tree is dead go, after whatever was to be told first. Idempotent.
  void dismiss();
  /// The wrapper, or init itself, was reaped: what the agent is told, unless it was told already.
  std::optional<LauncherRecord> on_exit();
  /// Its end was told, but the kernel is not done with what it was made of.
  bool is_coming_down() const { return told_end_ && !is_unkillable_; }
  /// After on_exit: init died without telling, so descendants may be left. Never waits.
  bool may_have_strays() const;
  /// Its end was told before it was all gone, and others wait to hear that it is.
  bool owes_gone() const { return told_end_ && (identity_is_own_ || is_unkillable_); }

  void terminate();
  void kill();
  /// Init was asked to end and did not within the bound: kills the process itself, again and again,
  /// with longer and longer pauses.
  void kill_if_overdue(Clock::time_point now);
  /// When `now` is later than a killed run may take to die: what the agent is told instead of
  /// waiting for it any longer. Handed out once.
  std::optional<LauncherRecord> give_up(Clock::time_point now);
  /// The same for a record that is there already, of a run whose init was reaped. What is left of
  /// it is below `root`.
  void mark_unkillable(LauncherRecord& record, pid_t root);
  bool is_unkillable() const { return is_unkillable_; }
  /// When to call the two again.
  std::optional<Clock::time_point> next_look() const;

 private:
  enum class Stage {
    setting_up,
    waiting,    ///< prepared, for a task
    beginning,  ///< with the task, up to the barrier
    verified,
    released
  };

  struct ChildMemory;

  LaunchedRun();
  /// It was told to end: nothing that arrives now may start or release it.
  bool is_ending() const { return overdue_at_.has_value(); }
  std::optional<LauncherRecord> verify(const LauncherState& state);
  void take_failure(const InitReport& report);
  void refuse(std::string missing);
  void send_command(InitCommand command);
  void end_wrapper() const;
  /// The byte for which the script's process waits after each time that it was measured.
  void send_go() const;

  std::uint64_t number_ = 0;
  pid_t pid_ = -1;
  bool wrapped_ = false, confined_ = false, native_ = false, told_end_ = false;
  bool dismissed_ = false;
  bool ends_with_init_ = false;  ///< its wrapper is killed when init has told the end
  std::optional<Identity> identity_;
  bool identity_is_own_ = false;
  Stage stage_ = Stage::setting_up;
  UniqueFd pidfd_, control_, barrier_, wrapper_messages_;
  std::string scratch_name_, scratch_directory_;
  std::uint32_t expected_descriptors_ = 0, landlock_abi_ = 0;
  bool change_identity_ = false;
  // Of a run that is prepared: what it was made from, and what was measured then.
  std::string frame_;
  HostTexts host_texts_;
  std::optional<Posture> posture_;
  Expectation expectation_;
  bool awaits_network_ = false;
  std::optional<NetworkFacts> network_;
  std::optional<pid_t> script_;  ///< stands at the barrier
  std::optional<kernel::CgroupLeaf> leaf_;
  std::unique_ptr<ChildMemory> child_memory_;  ///< until the child no longer lives in it
  std::optional<RunSetupFailed> failure_;
  std::optional<std::string> refusal_;
  std::optional<InitReport> ended_;
  std::optional<Clock::time_point> overdue_at_, give_up_at_;
  Clock::duration overdue_pause_{};
  bool is_unkillable_ = false;
};

}  // namespace satellite::sandbox
