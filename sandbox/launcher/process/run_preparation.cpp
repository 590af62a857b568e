#include "sandbox/launcher/process/run_preparation.hpp"

#include "protocol/vocabulary/secret.hpp"
#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/process/init_block_builder.hpp"
#include "sandbox/launcher/process/wrapper_command.hpp"
#include "sandbox/planning/cgroup_plan.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <span>

namespace satellite::sandbox {
namespace {

// All a wrapper gets: what a script's environment may hold (LD_DEBUG_OUTPUT, secrets) must never
// reach a program that runs outside the sandbox.
constexpr const char* wrapper_environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", nullptr};

// A file or directory without content costs the kernel about this much.
constexpr std::uint64_t bytes_per_inode = 4'096;
constexpr std::uint64_t inodes_min = 1'024;

/// `outside` is the number in the parent user namespace.
std::string single_line_map(std::uint32_t id, std::uint32_t outside) {
  return std::to_string(id) + " " + std::to_string(outside) + " 1";
}

RunSetupFailed failed(SetupStep step, const Error& error) {
  return RunSetupFailed{step, 0, 0, error.message};
}

Result<UniqueFd> sealed_copy(const char* name, const std::optional<std::string>& text) {
  if (!text) return UniqueFd();
  return kernel::make_memory_file(name, *text);
}

SetupResult<TaskInputs> make_task_inputs(const LaunchOrder& order) {
  TaskInputs inputs;
  auto input = sealed_copy("stdin", order.standard_input);
  if (!input) return failed(SetupStep::standard_input, input.error());
  inputs.standard_input = *std::move(input);
  if (!inputs.standard_input) {
    // Opened for this run alone: the flags and locks of a shared one would be a channel between
    // runs.
    inputs.standard_input.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!inputs.standard_input) {
      return failed(SetupStep::standard_input, error_from_errno("open /dev/null", errno));
    }
  }
  auto script = sealed_copy("script", order.long_script);
  if (!script) return failed(SetupStep::prepare, script.error());
  inputs.long_script = *std::move(script);
  return inputs;
}

kernel::ScratchOwner scratch_owner(const LaunchOrder& order, const RunPreparation& run) {
  const bool is_bound = run.change_identity && order.native && order.native->confined;
  return {run.owner.uid, run.owner.gid,
          is_bound ? kernel::ScratchReach::bound : kernel::ScratchReach::by_path};
}

const std::vector<sock_filter>& filter_for(const LaunchOrder& order, const LauncherState& state) {
  const bool sees_processes = order.native && order.native->shows_processes;
  return sees_processes ? state.filter_among_others : state.filter;
}

/// The last part of all: it holds what the others made.
SetupResult<void> prepare_block(const LaunchOrder& order, const LauncherState& state, Task task,
                                RunPreparation& run) {
  const auto& init_filter = order.init_uid != 0 ? state.looking_init_filter : state.init_filter;
  const BlockFacts facts{state.is_root,
                         Identity{::geteuid(), ::getegid()},
                         state.landlock_abi,
                         filter_for(order, state),
                         init_filter,
                         task == Task::awaited,
                         state.script_open_files,
                         run.native ? &run.native->setup() : nullptr};
  std::string block = build_init_block(order, facts);
  if (!state.init_program && run.wrapper.empty()) {
    run.block_memory = std::move(block);
    return {};
  }
  auto block_file = kernel::make_memory_file("run", block);
  wipe(block);
  if (!block_file) return failed(SetupStep::prepare, block_file.error());
  run.block = *std::move(block_file);
  return {};
}

SetupResult<void> prepare_inputs(const LaunchOrder& order, Task task, RunPreparation& run) {
  if (task == Task::awaited) return {};
  auto inputs = make_task_inputs(order);
  if (!inputs) return std::move(inputs).error();
  run.inputs = *std::move(inputs);
  return {};
}

SetupResult<void> prepare_sockets(RunPreparation& run) {
  auto control = kernel::make_message_sockets();
  auto barrier = kernel::make_message_sockets();
  if (!control || !barrier) {
    return failed(SetupStep::prepare, control ? barrier.error() : control.error());
  }
  run.control = *std::move(control);
  run.barrier = *std::move(barrier);
  const auto named = kernel::ask_for_sender(run.barrier.first.get());
  if (!named) return failed(SetupStep::prepare, named.error());
  return {};
}

SetupResult<void> prepare_wrapper(const LaunchOrder& order, const LauncherState& state,
                                  const RunPlace& place, RunPreparation& run) {
  if (order.native) {
    // The user namespace that owns a network made for one run has our user as its root.
    const bool is_root_above = place.user_namespace_fd >= 0;
    run.native =
        std::make_unique<NativePreparation>(order, run.owner, state.is_root, is_root_above);
  }
  // Without root, also for the settings of a network that the run makes itself.
  const bool sets_network = order.native && !state.is_root && order.native->own_network;
  if (sets_network || (order.native && order.native->shows_processes)) {
    run.proc.reset(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!run.proc) return failed(SetupStep::prepare, error_from_errno("open /proc", errno));
  }
  if (order.wrapper.empty()) return {};
  if (!state.init_program) return failed(SetupStep::prepare, state.init_program.error());
  auto messages = kernel::make_scratch_file("wrapper messages");
  if (!messages) return failed(SetupStep::prepare, messages.error());
  run.wrapper_messages = *std::move(messages);
  for (const auto& content : order.wrapper_files) {
    auto file = kernel::make_memory_file("wrapper file", content);
    if (!file) return failed(SetupStep::prepare, file.error());
    run.wrapper_file_fds.push_back(file->get());
    run.wrapper_files.push_back(*std::move(file));
  }
  // The user namespace that owns such a network maps us to its root.
  const bool as_namespace_root = order.network && !state.is_root;
  if (order.engine == Engine::nsjail) {
    auto directories =
        NsjailDirectories::take(as_namespace_root ? 0 : run.owner.uid, run.owner.uid);
    if (!directories) return failed(SetupStep::prepare, directories.error());
    run.nsjail_directories.emplace(*std::move(directories));
  }
  run.wrapper = wrapper_command(order, as_namespace_root);
  for (const auto& word : run.wrapper) run.wrapper_pointers.push_back(word.c_str());
  run.wrapper_pointers.push_back(nullptr);
  return {};
}

SetupResult<void> prepare_identity(const LaunchOrder& order, const LauncherState& state,
                                   RunPreparation& run) {
  const Identity own{::geteuid(), ::getegid()};
  run.owner = order.identity.value_or(own);
  run.change_identity = state.is_root && order.identity.has_value();
  if (state.is_root || run.owner == own) return {};
  return RunSetupFailed{SetupStep::user_id, 0, EPERM, "only root can change the identity"};
}

SetupResult<void> prepare_cgroup(const LaunchOrder& order, const LauncherState& state,
                                 RunPreparation& run) {
  if (!order.cgroup.any()) return {};
  if (!state.cgroups) return failed(SetupStep::control_group, state.cgroups.error());
  auto leaf = state.cgroups->make_leaf("run-" + std::to_string(order.run_number), order.cgroup,
                                       cgroup_writes(order.cgroup));
  if (!leaf) return failed(SetupStep::control_group, leaf.error());
  run.leaf.emplace(*std::move(leaf));
  return {};
}

}  // namespace

NativePreparation::NativePreparation(const LaunchOrder& order, const Identity& owner,
                                     bool launcher_is_root, bool is_root_above) {
  const NativePlan& plan = *order.native;
  new_namespaces_ = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  if (!plan.shows_processes) new_namespaces_ |= CLONE_NEWPID;
  const bool makes_network = plan.own_network && !order.network;
  if (makes_network) new_namespaces_ |= CLONE_NEWNET;
  if (!launcher_is_root) {
    new_namespaces_ |= CLONE_NEWUSER;
    setup_.own_user = true;
    setup_.uid_map = kept(single_line_map(owner.uid, is_root_above ? 0 : owner.uid));
    setup_.gid_map = kept(single_line_map(owner.gid, is_root_above ? 0 : owner.gid));
  }
  steps_.reserve(plan.steps.size());
  for (const auto& step : plan.steps) {
    bare::PreparedStep prepared;
    prepared.kind = step.kind;
    const char* const source =
        step.kind == FileStepKind::memory ? kept(memory_options(step, owner)) : step.source.c_str();
    prepared.target = reinterpret_cast<std::uint64_t>(step.target.c_str());
    prepared.source = reinterpret_cast<std::uint64_t>(source);
    prepared.number = step.size;
    prepared.mode = step.mode;
    prepared.optional = step.optional ? 1 : 0;
    prepared.writable = step.writable ? 1 : 0;
    steps_.push_back(prepared);
  }
  setup_.steps = steps_.data();
  setup_.step_count = static_cast<int>(steps_.size());
  setup_.root_step_count = static_cast<int>(plan.root_steps);
  setup_.confined = plan.confined;
  setup_.shows_processes = plan.shows_processes;
  setup_.raises_loopback = makes_network;
  setup_.change_identity = launcher_is_root && order.identity.has_value();
}

void NativePreparation::build_on_template(bool scratch_is_handed_in) {
  // As root the process has an own copy by unshare(2), of which clone(2) would make another.
  if (!setup_.own_user) new_namespaces_ &= ~std::uint64_t{CLONE_NEWNS};
  setup_.in_template = true;
  for (auto& step : steps_) {
    const bool is_scratch = step.kind == FileStepKind::bind && step.writable != 0;
    if (is_scratch && scratch_is_handed_in) step.tree_fd = init_fd_scratch_tree;
  }
}

void NativePreparation::build_in_network() {
  new_namespaces_ &= ~std::uint64_t{CLONE_NEWNET};
  setup_.raises_loopback = false;
  if (!setup_.own_user) return;
  for (auto& step : steps_) {
    const std::string_view target(reinterpret_cast<const char*>(step.target));
    const bool is_of_network = target.starts_with("proc/sys/net/");
    if (step.kind == FileStepKind::setting && is_of_network) step.is_done = 1;
  }
}

std::string NativePreparation::memory_options(const FileStep& step, const Identity& owner) const {
  char mode[16];
  std::snprintf(mode, sizeof(mode), "%o", step.mode);
  std::string options = "size=" + std::to_string(step.size) +
                        ",nr_inodes=" + std::to_string(step.size / bytes_per_inode + inodes_min) +
                        ",mode=" + mode;
  // Everybody's directories belong to nobody in particular.
  if ((step.mode & S_IWOTH) == 0) {
    options += ",uid=" + std::to_string(owner.uid) + ",gid=" + std::to_string(owner.gid);
  }
  return options;
}

namespace {

/// The scratch directory as a mount that nothing is told about and that tells nobody, for a process
/// which has no other way to the host's directories.
SetupResult<UniqueFd> detached_scratch(const std::string& directory) {
  constexpr auto step = SetupStep::scratch_directory;
  UniqueFd tree(static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, directory.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  if (!tree) return RunSetupFailed{step, 1, errno, "open_tree"};
  mount_attr flags{};
  flags.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  flags.propagation = MS_PRIVATE;
  if (::syscall(SYS_mount_setattr, tree.get(), "", AT_EMPTY_PATH, &flags, sizeof(flags)) != 0) {
    return RunSetupFailed{step, 2, errno, "mount_setattr"};
  }
  return tree;
}

/// A root that is to show the file system of the host's root, of its own or its template's.
SetupResult<void> take_disk_root(const LaunchOrder& order, const LauncherState& state,
                                 const RunPlace& place, RunPreparation& run) {
  if (!order.native || !order.native->root_on_disk) return {};
  if (place.root != nullptr) {
    run.disk_root = place.root->disk_root;
    return {};
  }
  auto made = DiskRoot::make(state.scratch.path(), state.unused_roots);
  if (!made) return failed(SetupStep::new_root, made.error());
  run.disk_root = *std::move(made);
  run.native->build_on_disk(run.disk_root->path());
  return {};
}

SetupResult<void> build_on_template(const LaunchOrder& order, const LauncherState& state,
                                    const RunPlace& place, RunPreparation& run) {
  const auto& steps = order.native->steps;
  const bool is_bound = std::any_of(steps.begin(), steps.end(), [](const FileStep& step) {
    return step.kind == FileStepKind::bind && step.writable;
  });
  if (is_bound && place.parents != nullptr) {
    run.scratch_in_parent_mounts =
        area_in_parent_mounts + order.scratch_directory.substr(state.scratch.path().size());
    run.wrapper_file_fds.push_back(-1);  // init_fd_scratch_tree, when there is one
  } else if (is_bound) {
    auto tree = detached_scratch(order.scratch_directory);
    if (!tree) return std::move(tree).error();
    run.scratch_tree = *std::move(tree);
    run.wrapper_file_fds.push_back(run.scratch_tree.get());  // init_fd_scratch_tree
  }
  run.native->build_on_template(is_bound);
  return {};
}

}  // namespace

SetupResult<RunPreparation> prepare_run(const LaunchOrder& order, RunStreams streams,
                                        const LauncherState& state, Task task,
                                        const RunPlace& place) {
  Result<std::string> name = std::string();
  if (!order.scratch_directory.empty()) name = state.scratch.name_of(order.scratch_directory);
  if (!name) return failed(SetupStep::scratch_directory, name.error());
  RunPreparation run;
  run.streams = std::move(streams);
  auto done = prepare_identity(order, state, run);
  if (done) done = prepare_inputs(order, task, run);
  if (done) done = prepare_sockets(run);
  if (done) done = prepare_wrapper(order, state, place, run);
  if (done) done = prepare_cgroup(order, state, run);
  if (!done) return std::move(done).error();
  if (run.change_identity) give_streams(run.streams, run.owner);
  if (!name->empty()) {
    const auto made = state.scratch.make_directory(*name, scratch_owner(order, run));
    if (!made) return failed(SetupStep::scratch_directory, made.error());
  }
  if (run.native && place.network_namespace_fd >= 0) run.native->build_in_network();
  if (run.native && !place.makes_carriers) run.native->make_no_carriers();
  if (place.root != nullptr) done = build_on_template(order, state, place, run);
  if (done) done = take_disk_root(order, state, place, run);
  if (done) done = prepare_block(order, state, task, run);
  if (!done) {
    if (!name->empty()) static_cast<void>(state.scratch.remove_at_once(*name));
    return std::move(done).error();
  }
  run.scratch_name = *std::move(name);
  return run;
}

bare::InitLaunch RunPreparation::launch(const LauncherState& state, const RunPlace& place) {
  bare::InitLaunch launch;
  launch.null_fd = state.null_device.get();
  launch.fds[init_fd_block] = block.get();
  launch.fds[init_fd_control] = control.second.get();
  launch.fds[init_fd_barrier] = barrier.second.get();
  launch.fds[init_fd_standard_input] = inputs.standard_input.get();
  launch.fds[init_fd_standard_output] = streams.standard_output.get();
  launch.fds[init_fd_standard_error] = streams.standard_error.get();
  const UniqueFd& third = inputs.long_script ? inputs.long_script : streams.module_task;
  launch.fds[init_fd_long_script] = third.get();
  launch.fds[init_fd_answer] = streams.module_answer.get();
  launch.fds[init_fd_proc] = proc.get();
  if (state.init_program) launch.fds[init_fd_program] = state.init_program->get();
  if (place.parents == nullptr) {
    launch.join_user_namespace_fd = place.user_namespace_fd;
    launch.join_network_namespace_fd = place.network_namespace_fd;
    if (place.root != nullptr) launch.template_fd = place.root->mount_namespace.get();
  }
  if (native) {
    launch.new_namespaces = native->new_namespaces();
    launch.keeps_capabilities = native->setup().own_user;
  }
  if (!block_memory.empty()) launch.block = reinterpret_cast<InitBlock*>(block_memory.data());
  launch.wrapper_file_fds = wrapper_file_fds.data();
  launch.wrapper_file_count = static_cast<int>(wrapper_file_fds.size());
  if (wrapper.empty()) return launch;
  launch.wrapper_messages_fd = wrapper_messages.get();
  launch.wrapper_path = wrapper_pointers.front();
  launch.wrapper_arguments = wrapper_pointers.data();
  launch.wrapper_environment = wrapper_environment;
  launch.change_identity = change_identity;
  launch.uid = owner.uid;
  launch.gid = owner.gid;
  return launch;
}

void RunPreparation::close_childs_ends() {
  streams = RunStreams{};
  wipe(block_memory);
  native.reset();
  wrapper_files.clear();
  for (UniqueFd* fd : {&block, &scratch_tree, &proc, &inputs.standard_input, &inputs.long_script,
                       &control.second, &barrier.second}) {
    fd->reset();
  }
}

void give_streams(const RunStreams& streams, const Identity& owner) {
  for (const int fd : {streams.standard_output.get(), streams.standard_error.get()}) {
    struct stat facts {};
    const bool is_pipe = ::fstat(fd, &facts) == 0 && S_ISFIFO(facts.st_mode);
    // Without it the script still has its streams, by their numbers.
    if (is_pipe && ::fchown(fd, owner.uid, owner.gid) != 0) return;
  }
}

SetupResult<void> send_task(int barrier, const LaunchOrder& order, const RunStreams& streams) {
  auto made = make_task_inputs(order);
  if (!made) return std::move(made).error();
  const TaskInputs& inputs = *made;
  std::string block = build_task_block(order);
  const auto file = kernel::make_memory_file("task", block);
  wipe(block);
  if (!file) return failed(SetupStep::prepare, file.error());
  std::vector<int> descriptors{file->get(), inputs.standard_input.get(),
                               streams.standard_output.get(), streams.standard_error.get()};
  const UniqueFd& third = inputs.long_script ? inputs.long_script : streams.module_task;
  if (third) descriptors.push_back(third.get());
  if (streams.module_answer) descriptors.push_back(streams.module_answer.get());
  const TaskMessage message{task_magic, third ? 1U : 0U, streams.module_answer ? 1U : 0U};
  const auto sent =
      kernel::send_message(barrier, std::as_bytes(std::span(&message, 1)), descriptors);
  if (!sent) return failed(SetupStep::receive_task, sent.error());
  return {};
}

}  // namespace satellite::sandbox
