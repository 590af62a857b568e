#pragma once

#include "protocol/vocabulary/result.hpp"
#include "protocol/vocabulary/secret.hpp"
#include "protocol/vocabulary/unique_fd.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/planning/plan.hpp"
#include "sandbox/report/run_request.hpp"
#include "sandbox/running/pipe.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

namespace satellite::sandbox {

/// The agent's ends of a run's pipes, and the run itself.
struct RunChannel {
  LaunchedRunLink link;
  UniqueFd standard_output, standard_error;
  UniqueFd answer{};  ///< a module's
  UniqueFd task{};    ///< of a standing run: where its task is written to
  Secret task_text{};
  std::optional<RunStarted> was_started{};  ///< of a standing run
};

/// Pipes and, for a module, its task as a file, which is complete before anything starts.
struct RunPipes {
  Pipe standard_output, standard_error;
  Pipe answer{};
  UniqueFd task{};
  UniqueFd state{};  ///< KeptState::file, or one that nobody looks at afterwards
};
Result<RunPipes> make_run_pipes(const Plan& plan, const RunRequest& request);
/// What of them the script gets.
Launcher::Streams scripts_ends(RunPipes& pipes);

/// Until all of it is written or nobody reads it any more, which the end of the run tells. Nothing
/// is written where there is no pipe.
boost::asio::awaitable<void> write_task(boost::asio::io_context& context, UniqueFd pipe,
                                        Secret text);

}  // namespace satellite::sandbox
