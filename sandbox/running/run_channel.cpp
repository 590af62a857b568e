#include "sandbox/running/run_channel.hpp"

#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/running/run_planner.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <string_view>
#include <utility>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

Result<UniqueFd> make_task_file(const Plan& plan, const RunRequest& request) {
  auto text = RunPlanner::task_for(plan, request);
  if (!text) return text.error();
  auto file = kernel::make_memory_file("task", *text);
  wipe(*text);
  return file;
}

Result<UniqueFd> state_of_run(const Plan& plan, const RunRequest& request) {
  if (plan.state_bytes == 0) return UniqueFd();
  if (!request.state || !request.state->file) return kernel::make_scratch_file("state");
  UniqueFd copy(::fcntl(request.state->file->get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return error_from_errno("fcntl(F_DUPFD_CLOEXEC)", errno);
  return copy;
}

}  // namespace

Result<RunPipes> make_run_pipes(const Plan& plan, const RunRequest& request) {
  auto standard_output = make_pipe();
  auto standard_error = make_pipe();
  if (!standard_output) return standard_output.error();
  if (!standard_error) return standard_error.error();
  RunPipes pipes{*std::move(standard_output), *std::move(standard_error)};
  auto state = state_of_run(plan, request);
  if (!state) return state.error();
  pipes.state = *std::move(state);
  if (request.language != Language::module) return pipes;
  auto answer = make_pipe();
  if (!answer) return answer.error();
  auto task = make_task_file(plan, request);
  if (!task) return task.error();
  pipes.answer = *std::move(answer);
  pipes.task = *std::move(task);
  return pipes;
}

Launcher::Streams scripts_ends(RunPipes& pipes) {
  return {std::move(pipes.standard_output.write_end), std::move(pipes.standard_error.write_end),
          std::move(pipes.task), std::move(pipes.answer.write_end), std::move(pipes.state)};
}

asio::awaitable<void> write_task(asio::io_context& context, UniqueFd pipe, Secret text) {
  if (!pipe) co_return;
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  ::fcntl(pipe.get(), F_SETFL, O_NONBLOCK);
  asio::posix::stream_descriptor descriptor(context, pipe.release());
  std::string_view rest = text.reveal();
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  while (!rest.empty()) {
    const ssize_t size = ::write(descriptor.native_handle(), rest.data(), rest.size());
    if (size >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(size));
    } else if (errno == EAGAIN) {
      co_await descriptor.async_wait(asio::posix::descriptor_base::wait_write, token);
    } else if (errno != EINTR) {
      break;
    }
  }
}

}  // namespace satellite::sandbox
