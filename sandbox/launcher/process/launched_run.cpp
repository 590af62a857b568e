#include "sandbox/launcher/process/launched_run.hpp"

#include "sandbox/launcher/bare/init_launch.hpp"
#include "sandbox/launcher/process/init_block_builder.hpp"
#include "sandbox/launcher/process/run_accounting.hpp"
#include "sandbox/launcher/process/spawn.hpp"
#include "sandbox/launcher/verify/validate_posture.hpp"
#include "sandbox/launcher/wire/order_codec.hpp"
#include "sandbox/launcher/wire/posture_text.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace satellite::sandbox {
namespace {

constexpr std::uint32_t descriptors_without_task = 4;  // 0 1 2, the barrier

/// No process of a prepared run writes before its task, but another run of the same user that sees
/// the host's files could put something into its directory.
bool is_untouched(const std::string& scratch_directory) {
  std::error_code problem;
  return scratch_directory.empty() ||
         (std::filesystem::is_empty(scratch_directory, problem) && !problem);
}

}  // namespace

std::uint32_t descriptors_of_script(const LaunchOrder& order) {
  // 0 1 2 and the barrier; the text of a long script; the task and the answer of a module.
  return 4 + (order.long_script ? 1U : 0U) + (order.is_module ? 2U : 0U);
}

/// What a child that borrows our memory walks until its exec; ours to keep until we know of that.
struct LaunchedRun::ChildMemory {
  static constexpr std::size_t stack_size = 16U << 10U;

  std::byte* make_stack() {
    stacks.push_back(std::make_unique_for_overwrite<std::byte[]>(stack_size));
    return stacks.back().get() + stack_size;
  }
  Spawned spawn(const LauncherState& state, const RunPlace& place) {
    const int group = prepared.leaf ? prepared.leaf->descriptor() : -1;
    // A wrapper begins with the script's ids, before its exec. And where a group's memory ends, the
    // kernel kills every process that shares the victim's, so that a small limit would end us.
    const bool may_borrow = group < 0 && (prepared.wrapper.empty() || state.may_share_memory);
    std::byte* const stack = launch.block == nullptr && may_borrow ? make_stack() : nullptr;
    const SpawnNamespaces namespaces = spawn_namespaces(place);
    if (!namespaces.has_any()) return spawn_init(launch, stack, group);
    Spawned made = spawn_init_inside(launch, namespaces, make_stack(), stack, group);
    if (namespaces.scratch_tree != nullptr)
      prepared.scratch_tree = UniqueFd(*namespaces.scratch_tree);
    return made;
  }

  /// A wrapper enters its network itself. The child of a root launcher enters template and network
  /// by itself (InitLaunch), unless another user namespace owns the network.
  SpawnNamespaces spawn_namespaces(const RunPlace& place) {
    SpawnNamespaces namespaces;
    if (!prepared.wrapper.empty()) return namespaces;
    if (place.parents == nullptr) {
      namespaces.network_user = std::exchange(launch.join_user_namespace_fd, -1);
      if (namespaces.network_user >= 0) {
        namespaces.network = std::exchange(launch.join_network_namespace_fd, -1);
      }
      return namespaces;
    }
    namespaces.parent_user = place.parents->user.get();
    namespaces.network_user = place.user_namespace_fd;
    namespaces.network = place.network_namespace_fd;
    if (place.root != nullptr) namespaces.root = place.root->mount_namespace.get();
    if (prepared.scratch_in_parent_mounts.empty()) return namespaces;
    namespaces.parent_mounts = place.parents->mounts.get();
    namespaces.scratch = prepared.scratch_in_parent_mounts.c_str();
    namespaces.scratch_tree = &prepared.wrapper_file_fds.back();
    return namespaces;
  }

  RunPreparation prepared;
  bare::InitLaunch launch;
  std::vector<std::unique_ptr<std::byte[]>> stacks;
};

namespace {

/// Measured of every script of a launcher that keeps scripts from root, asked for or not.
Expectation expectation_for(const LaunchOrder& order, const LauncherState& state) {
  Expectation expectation = order.expectation;
  if (!state.keeps_scripts_from_root) return expectation;
  expectation.not_host_root = true;
  if (!expectation.identity) expectation.identity = order.identity;
  return expectation;
}

}  // namespace

SetupResult<std::unique_ptr<LaunchedRun>> LaunchedRun::start(const LaunchOrder& order,
                                                             RunStreams streams,
                                                             const LauncherState& state,
                                                             const RunPlace& place, Task task) {
  UniqueFd state_file = std::move(streams.state);
  auto preparation = prepare_run(order, std::move(streams), state, task, place);
  if (!preparation) return std::move(preparation).error();
  auto child = std::make_unique<ChildMemory>();
  child->prepared = *std::move(preparation);
  RunPreparation& made = child->prepared;
  child->launch = made.launch(state, place);
  std::optional<Prepared> prepared;
  if (task == Task::awaited) {
    prepared.emplace();
    prepared->setup = encode_setup(order);
    prepared->mounts_generation = place.mounts_generation;
    prepared->plan = order.native;
    // Before the child reads the files, so that a change meanwhile is noticed later.
    if (order.native) prepared->host_files = stamps_of_host_files(order.native->steps);
  }
  Spawned spawned = child->spawn(state, place);
  if (spawned.pid < 0) {
    const int reason = errno;
    if (!made.scratch_name.empty()) {
      static_cast<void>(state.scratch.remove_at_once(made.scratch_name));
    }
    return RunSetupFailed{spawned.failed_step, 0, reason, {}};
  }
  made.close_childs_ends();
  auto run = std::unique_ptr<LaunchedRun>(new LaunchedRun(
      Facts{order.run_number, spawned.pid, order.engine, !made.wrapper.empty(), is_confined(order),
            made.change_identity, order.identity_is_own, order.network.has_value(), task,
            order.identity, order.scratch_directory, expectation_for(order, state),
            place.root != nullptr ? place.root->devices : nullptr,
            MadeAhead{place.root != nullptr, place.network_is_ready}, made.disk_root}));
  run->pidfd_ = std::move(spawned.pidfd);
  run->control_ = std::move(made.control.first);
  run->barrier_ = Barrier(std::move(made.barrier.first));
  run->wrapper_messages_ = std::move(made.wrapper_messages);
  run->scratch_name_ = std::move(made.scratch_name);
  run->state_ = RunState(order.state_bytes);
  run->state_.take_file(std::move(state_file));
  run->expected_descriptors_ =
      task == Task::given ? descriptors_of_script(order) : descriptors_without_task;
  run->prepared_ = std::move(prepared);
  run->leaf_ = std::move(made.leaf);
  run->memory_watch_ = MemoryWatch(order.watched_memory_bytes);
  run->child_memory_ = std::move(child);
  return run;
}

LaunchedRun::LaunchedRun(Facts facts) : facts_(std::move(facts)) {}
LaunchedRun::~LaunchedRun() = default;

void LaunchedRun::take_failure(const InitReport& report) {
  if (failure_) return;
  failure_ = RunSetupFailed{report.step, report.index, report.error_number, {}};
  // A number outside the enum can only be a foreign program on our socket.
  if (report.step > SetupStep::last) failure_->step = SetupStep::wrapper;
}

void LaunchedRun::refuse(std::string missing) {
  refusal_ = std::move(missing);
  kill();
}

std::optional<LauncherRecord> LaunchedRun::on_barrier(const LauncherState& state) {
  const Incoming incoming = receive_report(barrier_.fd());
  if (incoming.closed) barrier_.close();
  if (!incoming.report) return std::nullopt;
  if (incoming.report->kind == InitReportKind::failed) {
    take_failure(*incoming.report);
    return std::nullopt;
  }
  if (is_ending()) return std::nullopt;
  const bool has_task = facts_.task == Task::given || stage_ == Stage::beginning;
  const bool in_turn = stage_ == Stage::setting_up || stage_ == Stage::beginning;
  if (!in_turn ||
      !barrier_.take(incoming, has_task ? InitReportKind::armed : InitReportKind::ready)) {
    refuse("the script's process broke the protocol of the barrier");
    return std::nullopt;
  }
  child_memory_.reset();  // it has a memory of its own since the exec of init or of the wrapper
  if (facts_.awaits_network && !network_) return std::nullopt;
  return verify(state);
}

std::optional<LauncherRecord> LaunchedRun::on_network(const NetworkFacts& made,
                                                      const LauncherState& state) {
  network_ = made;
  if (is_ending() || !barrier_.script() || stage_ != Stage::setting_up) return std::nullopt;
  return verify(state);
}

void LaunchedRun::fail(const RunSetupFailed& failure) {
  if (!failure_) failure_ = failure;
  kill();
}

/// Else the device of a file system that the host unmounted would stay busy.
void LaunchedRun::let_go_of_disks(std::uint64_t mounts_generation) {
  const bool stands = stage_ == Stage::released && stands_ && !may_have_task_;
  if (!stands && stage_ != Stage::waiting) return;
  if (is_ending() || facts_.expectation.disks.empty()) return;
  if (prepared_->mounts_generation == mounts_generation) return;
  if (stands) return kill();  // it was started: its end is one of a run
  fail({SetupStep::receive_task, 0, 0, "the host's mounts changed since"});
}

MeasureRequest LaunchedRun::measure_request() const {
  return {*barrier_.script(),
          is_native() ? facts_.pid : 0,
          facts_.scratch_directory,
          expected_descriptors_,
          network_,
          leaf_ ? &*leaf_ : nullptr,
          facts_.wrapped,
          facts_.shared_devices.get(),
          &facts_.expectation.disks};
}

/// What no file tells.
void LaunchedRun::take_told(Posture& posture) const {
  posture.landlock_abi = barrier_.landlock_abi();
  posture.keeps_signals = barrier_.keeps_signals();
}

/// A prepared run is measured twice: whole when it is ready, and with its task what the task can
/// have changed.
Result<Posture> LaunchedRun::measure_script(const LauncherState& state) const {
  const MeasureRequest request = measure_request();
  const bool is_again = prepared_ && prepared_->posture;
  auto posture =
      is_again ? measure_again(request, *prepared_->posture) : measure(request, state.surroundings);
  if (posture) take_told(*posture);
  return posture;
}

std::optional<LauncherRecord> LaunchedRun::verify(const LauncherState& state) {
  auto posture = measure_script(state);
  if (!posture) {
    // What a script shows in /proc is closed to whoever may not trace it.
    const bool may_not_look = posture.error().code == ErrorCode::not_permitted;
    refuse("cannot verify the script from outside: /proc/PID/" + posture.error().message +
           (may_not_look ? "; give the satellite CAP_SYS_PTRACE, which a root satellite in a "
                           "container needs to look at scripts of another user"
                         : ""));
    return std::nullopt;
  }
  auto missing = missing_of(facts_.expectation, *posture);
  if (facts_.confined && !posture->no_new_privileges) {
    missing.push_back("privilege: no_new_privs is not set");
  }
  if (auto opened = state_.open_directory(*barrier_.script()); !opened) {
    missing.push_back("filesystem: " + opened.error().message);
  }
  if (!missing.empty()) {
    refuse(joined(missing, "; "));
    return std::nullopt;
  }
  if (prepared_ && stage_ == Stage::setting_up) {
    prepared_->posture = *std::move(posture);
    stage_ = Stage::waiting;
    barrier_.send_go();
    return LauncherRecord{number(), RunPrepared{own_memory_below(facts_.pid)}};
  }
  stage_ = Stage::verified;
  return LauncherRecord{number(), RunStarted{*std::move(posture), facts_.made_ahead}};
}

void LaunchedRun::begin(const LaunchOrder& order, const RunStreams& streams,
                        std::uint64_t mounts_generation) {
  // A task that comes too late or for another sandbox ends the run: it must neither wait for a task
  // that it was given already, nor execute one behind other layers than the ones asked for.
  if (stage_ != Stage::waiting || !barrier_.is_open()) {
    return fail({SetupStep::receive_task, 0, 0, "the run does not wait for a task"});
  }
  if (encode_setup(order) != prepared_->setup) {
    return fail({SetupStep::receive_task, 0, 0, "the run was prepared for another sandbox"});
  }
  if (mounts_generation != prepared_->mounts_generation) {
    return fail({SetupStep::receive_task, 0, 0, "the host's mounts changed since"});
  }
  if (order.native && stamps_of_host_files(order.native->steps) != prepared_->host_files) {
    return fail({SetupStep::receive_task, 0, 0, "the host's files changed since"});
  }
  if (facts_.disk_root && !facts_.disk_root->is_whole()) {
    return fail({SetupStep::receive_task, 0, 0, "somebody removed what its root is made in"});
  }
  if (!is_untouched(facts_.scratch_directory)) {
    return fail({SetupStep::receive_task, 0, 0, "somebody put files into its scratch directory"});
  }
  if (facts_.change_identity) give_streams(streams, *facts_.identity);
  if (auto sent = send_task(barrier_.fd(), order, streams); !sent) return fail(sent.error());
  struct stat task {};
  stands_ = ::fstat(streams.module_task.get(), &task) == 0 && S_ISFIFO(task.st_mode);
  expected_descriptors_ = descriptors_of_script(order);
  stage_ = Stage::beginning;
}

void LaunchedRun::release() {
  if (is_ending() || stage_ != Stage::verified || !barrier_.is_open()) return;
  barrier_.send_go();
  stage_ = Stage::released;
  // A runtime that stands and waits takes what it takes.
  if (!stands_) memory_watch_.begin(Clock::now());
}

std::string LaunchedRun::reason_not_to_stand(const LauncherState& state, bool lost_uplink,
                                             std::uint64_t mounts_generation) {
  if (stage_ != Stage::released || !prepared_ || is_ending() || ended_) return "it does not stand";
  if (lost_uplink) return "the way out is gone";
  if (lost_scratch(state.scratch) || !is_untouched(facts_.scratch_directory)) {
    return "somebody changed its scratch directory";
  }
  if (mounts_generation != prepared_->mounts_generation) return "the host's mounts changed since";
  if (prepared_->plan && stamps_of_host_files(prepared_->plan->steps) != prepared_->host_files) {
    return "the host's files changed since";
  }
  auto census = take_census(measure_request(), state.surroundings);
  if (!census) return census.error().message;
  take_told(census->posture);
  if (prepared_->census) return difference_of(*prepared_->census, *census);
  std::string fault = fault_of(*census, facts_.expectation);
  if (fault.empty()) prepared_->census = *std::move(census);
  return fault;
}

LauncherRecord LaunchedRun::count(const LauncherState& state, bool lost_uplink,
                                  std::uint64_t mounts_generation) {
  const bool is_first = !(prepared_ && prepared_->census);
  std::string reason = reason_not_to_stand(state, lost_uplink, mounts_generation);
  if (is_first) return {number(), RunCounted{std::move(reason), own_memory_below(facts_.pid)}};
  may_have_task_ = may_have_task_ || reason.empty();
  if (reason.empty()) memory_watch_.begin(Clock::now());  // it gets its task now
  return {number(), RunCounted{std::move(reason)}};
}

void LaunchedRun::on_control() {
  const Incoming incoming = receive_report(control_.get());
  if (incoming.closed) control_.reset();
  if (!incoming.report) return;
  if (incoming.report->kind == InitReportKind::failed) take_failure(*incoming.report);
  if (incoming.report->kind != InitReportKind::ended) return;
  ended_ = *incoming.report;
  if (!state_.is_given()) end_nsjail();
}

}  // namespace satellite::sandbox
