#pragma once

#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/process/barrier.hpp"
#include "sandbox/launcher/process/host_file_stamps.hpp"
#include "sandbox/launcher/process/killing.hpp"
#include "sandbox/launcher/process/memory_watch.hpp"
#include "sandbox/launcher/process/run_preparation.hpp"
#include "sandbox/launcher/process/run_state.hpp"
#include "sandbox/launcher/verify/census.hpp"
#include "sandbox/launcher/wire/records.hpp"
#include "sandbox/launcher/wire/setup_result.hpp"

#include <sys/types.h>
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace satellite::sandbox {

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
  static SetupResult<std::unique_ptr<LaunchedRun>> start(const LaunchOrder& order,
                                                         RunStreams streams,
                                                         const LauncherState& state,
                                                         const RunPlace& place = {},
                                                         Task task = Task::given);

  ~LaunchedRun();

  std::uint64_t number() const { return facts_.number; }
  /// Whether nobody else may be who its script and its init are.
  bool identity_is_own() const { return facts_.identity_is_own; }
  /// Whether its script or its init is this user.
  bool has_user(std::uint32_t uid) const {
    return (facts_.identity && facts_.identity->uid == uid) ||
           (facts_.expectation.init_uid != 0 && facts_.expectation.init_uid == uid);
  }
  /// Whom the launcher changes to for it; nothing where it has that user itself.
  std::optional<Identity> changed_identity() const {
    return facts_.change_identity ? facts_.identity : std::nullopt;
  }
  pid_t pid() const { return facts_.pid; }
  RunState& state() { return state_; }
  const RunState& state() const { return state_; }
  int control_fd() const { return control_.get(); }
  int barrier_fd() const { return barrier_.fd(); }
  /// Init said that it is the last process of the run.
  bool tree_is_dead() const { return ended_.has_value(); }
  /// It was told to end: nothing that arrives now may start or release it.
  bool is_ending() const { return killing_.has_begun(); }
  /// Somebody removed it while the run stood prepared.
  bool lost_scratch(const kernel::ScratchArea& area) const {
    return !scratch_name_.empty() && !area.holds(scratch_name_);
  }
  /// What it is in, and nobody else; kept until it is over.
  void keep_network(UniqueFd network) { own_network_ = std::move(network); }
  UniqueFd take_network() { return std::move(own_network_); }
  /// The scratch directory to remove, handed out once; empty = none.
  std::string take_scratch_name() { return std::exchange(scratch_name_, {}); }

  /// Returns the record to send, if there is one now: RunStarted, after which the script is let go
  /// by release(), or RunPrepared, after which a task may be given by begin().
  std::optional<LauncherRecord> on_barrier(const LauncherState& state);
  /// The run's network has its uplink now: what waited at the barrier for it can be measured.
  std::optional<LauncherRecord> on_network(const NetworkFacts& made, const LauncherState& state);
  /// Any failure ends the run before the script started, as one of its set-up.
  void begin(const LaunchOrder& order, const RunStreams& streams, std::uint64_t mounts_generation);
  /// A prepared run, or a standing one without a task, that shows file systems of the host ends
  /// when they are not those of before.
  void let_go_of_disks(std::uint64_t mounts_generation);
  /// The run's network failed under it.
  void fail(const RunSetupFailed& failure);
  void release();
  /// Looks at a prepared module that was let go and has no task yet: the first time whether it may
  /// stand, then whether anything changed since.
  LauncherRecord count(const LauncherState& state, bool lost_uplink,
                       std::uint64_t mounts_generation);
  void on_control();

  /// A native run whose tree is dead: the record of its end, handed out once. Init is the last of
  /// it and holds nothing but namespaces, whose end takes the kernel longer than a script may wait;
  /// the same is true of the program behind its uplink, which was killed.
  std::optional<LauncherRecord> take_early_end(bool lost_uplink);
  /// Lets the init of a run whose tree is dead exit, where it waits for that; called after the end
  /// was reported, if that is to be first. Idempotent.
  void release_init();
  /// The first process (wrapper or init) was reaped: the record of the end, unless it was reported
  /// already.
  std::optional<LauncherRecord> on_exit();
  /// Its end was reported, but the kernel still takes its namespaces down.
  bool is_coming_down() const { return end_reported_ && !killing_.is_unkillable(); }
  /// Somebody waits for what it does next.
  bool is_being_set_up() const {
    return (stage_ == Stage::setting_up || stage_ == Stage::beginning) && !is_ending();
  }
  /// After on_exit: init died without a report, so descendants may be left. Never waits.
  bool may_have_orphans() const;
  /// The report of its end said that something remains, so RunGone has to follow.
  bool must_report_gone() const {
    return end_reported_ && (facts_.identity_is_own || killing_.is_unkillable());
  }

  void terminate();
  void kill();
  /// Kills a run that takes more memory than it may, and the first process itself when it did not
  /// end in time (MemoryWatch, Killing).
  void kill_if_overdue(Clock::time_point now);
  /// When a killed run has not died within its bound at `now`: the record of its end, which says
  /// what remains. Handed out once.
  std::optional<LauncherRecord> give_up(Clock::time_point now);
  /// The same for a record that is there already, of a run whose init was reaped. What is left of
  /// it is below `root`.
  void mark_unkillable(LauncherRecord& record, pid_t root);
  bool is_unkillable() const { return killing_.is_unkillable(); }
  /// When to call the two again.
  std::optional<Clock::time_point> next_look() const {
    const auto killing = killing_.next_look(), memory = memory_watch_.next_look();
    return killing && memory ? std::min(*killing, *memory) : (killing ? killing : memory);
  }

 private:
  /// What is known when the first process exists, and never changes.
  struct Facts {
    std::uint64_t number = 0;
    pid_t pid = -1;
    Engine engine = Engine::none;
    bool wrapped = false, confined = false;
    bool change_identity = false;  ///< the script's user is not the launcher's
    bool identity_is_own = false;
    bool awaits_network = false;  ///< its uplink is raised while it is set up
    Task task = Task::given;
    std::optional<Identity> identity;
    std::string scratch_directory;
    Expectation expectation;
    std::shared_ptr<const std::set<std::string>> shared_devices;  ///< RootTemplate::devices
    MadeAhead made_ahead;
    std::shared_ptr<const DiskRoot> disk_root;  ///< what its root is made in
  };
  /// How far the script's process has come.
  enum class Stage {
    setting_up,  ///< up to the barrier: with its task, or, prepared, without one
    waiting,     ///< prepared and measured; no task yet
    beginning,   ///< a prepared run with its task, on its way to the barrier again
    verified,    ///< measured with its task; RunStarted is about to be sent
    released     ///< it got the byte, and executes its command
  };
  /// What a prepared run was made from and what was measured of it, to compare with its task's.
  struct Prepared {
    std::string setup;  ///< bytes of the order without its task
    HostFileStamps host_files;
    std::optional<std::uint64_t> mounts_generation;
    std::optional<Posture> posture;
    std::optional<NativePlan> plan;
    std::optional<Census> census;
  };
  struct ChildMemory;

  explicit LaunchedRun(Facts facts);
  bool is_native() const { return facts_.engine == Engine::native; }
  bool init_waits() const { return is_native() || state_.is_given(); }
  /// Before this the script never ran, and init may not listen for commands.
  bool is_set_up() const { return stage_ == Stage::verified || stage_ == Stage::released; }
  std::optional<LauncherRecord> verify(const LauncherState& state);
  MeasureRequest measure_request() const;
  void take_told(Posture& posture) const;
  Result<Posture> measure_script(const LauncherState& state) const;
  std::string reason_not_to_stand(const LauncherState& state, bool lost_uplink,
                                  std::uint64_t mounts_generation);
  void take_failure(const InitReport& report);
  void take_last_reports();
  RunSetupFailed failure_without_report() const;
  void refuse(std::string missing);
  void send_command(InitCommand command);
  void kill_first_process() const;
  void end_nsjail() const;

  const Facts facts_;
  Stage stage_ = Stage::setting_up;
  Barrier barrier_;
  Killing killing_;
  MemoryWatch memory_watch_;
  UniqueFd pidfd_, control_, wrapper_messages_, own_network_;
  RunState state_;
  std::string scratch_name_;
  std::uint32_t expected_descriptors_ = 0;
  std::optional<Prepared> prepared_;  ///< set for Task::awaited
  std::optional<NetworkFacts> network_;
  std::optional<kernel::CgroupLeaf> leaf_;
  std::unique_ptr<ChildMemory> child_memory_;  ///< until the child no longer lives in it
  std::optional<RunSetupFailed> failure_;
  std::optional<std::string> refusal_;
  std::optional<InitReport> ended_;
  bool end_reported_ = false, init_released_ = false;
  bool was_told_ = false;       ///< to end, before it had
  bool may_have_task_ = false;  ///< of one that stands: it was counted for it
  bool stands_ = false;  ///< its runtime is started before there is a task, which comes by a pipe
};

}  // namespace satellite::sandbox
