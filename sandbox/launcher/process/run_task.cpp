#include "sandbox/launcher/process/run_task.hpp"

#include "protocol/vocabulary/secret.hpp"
#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/kernel/socket_messages.hpp"
#include "sandbox/launcher/process/init_block_builder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <span>

namespace satellite::sandbox {
namespace {

RunSetupFailed input_failed(SetupStep step, const Error& error) {
  return RunSetupFailed{step, 0, 0, error.message};
}

Result<UniqueFd> sealed_copy(const char* name, const std::optional<std::string>& text) {
  if (!text) return UniqueFd();
  return kernel::make_memory_file(name, *text);
}

}  // namespace

std::variant<TaskInputs, RunSetupFailed> make_task_inputs(const LaunchOrder& order) {
  TaskInputs inputs;
  auto input = sealed_copy("stdin", order.standard_input);
  if (!input) return input_failed(SetupStep::standard_input, input.error());
  inputs.standard_input = *std::move(input);
  if (!inputs.standard_input) {
    // Opened for this run alone: the flags and locks of a shared one would be a channel between
    // runs.
    inputs.standard_input.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!inputs.standard_input) {
      return input_failed(SetupStep::standard_input, error_from_errno("open /dev/null", errno));
    }
  }
  auto script = sealed_copy("script", order.long_script);
  if (!script) return input_failed(SetupStep::prepare, script.error());
  inputs.long_script = *std::move(script);
  return inputs;
}

void give_streams(const RunStreams& streams, const Identity& owner) {
  for (const int fd : {streams.standard_output.get(), streams.standard_error.get()}) {
    struct stat facts {};
    const bool is_pipe = ::fstat(fd, &facts) == 0 && S_ISFIFO(facts.st_mode);
    // Without it the script still has its streams, by their numbers.
    if (is_pipe && ::fchown(fd, owner.uid, owner.gid) != 0) return;
  }
}

std::optional<RunSetupFailed> send_task(int barrier, const LaunchOrder& order,
                                        const RunStreams& streams) {
  auto made = make_task_inputs(order);
  if (auto* problem = std::get_if<RunSetupFailed>(&made)) return std::move(*problem);
  const auto& inputs = std::get<TaskInputs>(made);
  std::string block = build_task_block(order);
  const auto file = kernel::make_memory_file("task", block);
  wipe(block);
  if (!file) return input_failed(SetupStep::prepare, file.error());
  std::vector<int> descriptors{file->get(), inputs.standard_input.get(),
                               streams.standard_output.get(), streams.standard_error.get()};
  if (inputs.long_script) descriptors.push_back(inputs.long_script.get());
  const TaskMessage message{task_magic, inputs.long_script ? 1U : 0U};
  const auto sent =
      kernel::send_message(barrier, std::as_bytes(std::span(&message, 1)), descriptors);
  if (!sent) return input_failed(SetupStep::receive_task, sent.error());
  return std::nullopt;
}

}  // namespace satellite::sandbox
