#include "sandbox/launcher/process/run_preparation.hpp"

#include "protocol/vocabulary/secret.hpp"
#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/process/init_block_builder.hpp"
#include "sandbox/launcher/process/wrapper_command.hpp"
#include "sandbox/planning/cgroup_plan.hpp"

#include <unistd.h>
#include <cerrno>
#include <optional>

namespace satellite::sandbox {
namespace {

using Failure = std::optional<RunSetupFailed>;

// All a wrapper gets: what a script's environment may hold (LD_DEBUG_OUTPUT, secrets) must never
// reach a program that runs outside the sandbox.
constexpr const char* wrapper_environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", nullptr};

RunSetupFailed failed(SetupStep step, const Error& error) {
  return RunSetupFailed{step, 0, 0, error.message};
}

kernel::ScratchOwner scratch_owner(const LaunchOrder& order, const RunPreparation& run) {
  const bool is_bound = run.change_identity && order.native && order.native->confined;
  return {run.owner.uid, run.owner.gid,
          is_bound ? kernel::ScratchReach::bound : kernel::ScratchReach::by_path};
}

Failure prepare_texts(const LaunchOrder& order, const LauncherState& state, Task task,
                      RunPreparation& run) {
  if (task == Task::given) {
    auto inputs = make_task_inputs(order);
    if (auto* problem = std::get_if<RunSetupFailed>(&inputs)) return std::move(*problem);
    run.inputs = std::get<TaskInputs>(std::move(inputs));
  }
  const BlockFacts facts{state.is_root,          Identity{::geteuid(), ::getegid()},
                         state.landlock_abi,     state.filter,
                         state.init_filter,      task == Task::awaited,
                         state.script_open_files};
  std::string block = build_init_block(order, facts);
  if (order.native) {
    run.block_memory = std::move(block);
    return std::nullopt;
  }
  auto block_file = kernel::make_memory_file("run", block);
  wipe(block);
  if (!block_file) return failed(SetupStep::prepare, block_file.error());
  run.block = *std::move(block_file);
  return std::nullopt;
}

Failure prepare_sockets(RunPreparation& run) {
  auto control = kernel::make_message_sockets();
  auto barrier = kernel::make_message_sockets();
  if (!control || !barrier) {
    return failed(SetupStep::prepare, control ? barrier.error() : control.error());
  }
  run.control = *std::move(control);
  run.barrier = *std::move(barrier);
  const auto named = kernel::ask_for_sender(run.barrier.first.get());
  if (!named) return failed(SetupStep::prepare, named.error());
  return std::nullopt;
}

Failure prepare_wrapper(const LaunchOrder& order, const LauncherState& state, RunPreparation& run) {
  if (order.native) {
    run.native = std::make_unique<NativePreparation>(order, run.owner, state.is_root);
  }
  if (order.wrapper.empty()) return std::nullopt;
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
  return std::nullopt;
}

Failure prepare_identity(const LaunchOrder& order, const LauncherState& state,
                         RunPreparation& run) {
  const Identity own{::geteuid(), ::getegid()};
  run.owner = order.identity.value_or(own);
  run.change_identity = state.is_root && order.identity.has_value();
  if (state.is_root || run.owner == own) return std::nullopt;
  return RunSetupFailed{SetupStep::user_id, 0, EPERM, "only root can change the identity"};
}

Failure prepare_cgroup(const LaunchOrder& order, const LauncherState& state, RunPreparation& run) {
  if (!order.cgroup.any()) return std::nullopt;
  if (!state.cgroups) return failed(SetupStep::control_group, state.cgroups.error());
  auto leaf = state.cgroups->make_leaf("run-" + std::to_string(order.run_number), order.cgroup,
                                       cgroup_writes(order.cgroup));
  if (!leaf) return failed(SetupStep::control_group, leaf.error());
  run.leaf.emplace(*std::move(leaf));
  return std::nullopt;
}

}  // namespace

std::variant<RunPreparation, RunSetupFailed> prepare_run(const LaunchOrder& order,
                                                         RunStreams streams,
                                                         const LauncherState& state, Task task) {
  Result<std::string> name = std::string();
  if (!order.scratch_directory.empty()) name = state.scratch.name_of(order.scratch_directory);
  if (!name) return failed(SetupStep::scratch_directory, name.error());
  RunPreparation run;
  run.streams = std::move(streams);
  Failure problem = prepare_identity(order, state, run);
  if (!problem) problem = prepare_texts(order, state, task, run);
  if (!problem) problem = prepare_sockets(run);
  if (!problem) problem = prepare_wrapper(order, state, run);
  if (!problem) problem = prepare_cgroup(order, state, run);
  if (problem) return *std::move(problem);
  if (run.change_identity) give_streams(run.streams, run.owner);
  if (!name->empty()) {
    const auto made = state.scratch.make_directory(*name, scratch_owner(order, run));
    if (!made) return failed(SetupStep::scratch_directory, made.error());
  }
  run.scratch_name = *std::move(name);
  return run;
}

bare::InitLaunch RunPreparation::launch(const LauncherState& state) {
  bare::InitLaunch launch;
  launch.null_fd = state.null_device.get();
  launch.fds[init_fd_block] = block.get();
  launch.fds[init_fd_control] = control.second.get();
  launch.fds[init_fd_barrier] = barrier.second.get();
  launch.fds[init_fd_standard_input] = inputs.standard_input.get();
  launch.fds[init_fd_standard_output] = streams.standard_output.get();
  launch.fds[init_fd_standard_error] = streams.standard_error.get();
  launch.fds[init_fd_long_script] = inputs.long_script.get();
  if (native) {
    launch.native = &native->setup();
    launch.new_namespaces = native->new_namespaces();
    launch.block = reinterpret_cast<InitBlock*>(block_memory.data());
  }
  if (wrapper.empty()) return launch;
  launch.fds[init_fd_program] = state.init_program->get();
  launch.wrapper_messages_fd = wrapper_messages.get();
  launch.wrapper_file_fds = wrapper_file_fds.data();
  launch.wrapper_file_count = static_cast<int>(wrapper_file_fds.size());
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
  for (UniqueFd* fd :
       {&block, &inputs.standard_input, &inputs.long_script, &control.second, &barrier.second}) {
    fd->reset();
  }
}

}  // namespace satellite::sandbox
