#pragma once

#include "agent/outbound/outbox.hpp"
#include "agent/packages/script_packages.hpp"
#include "sandbox/running/runner.hpp"

#include "protocol/dispatch_messages.hpp"

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>

namespace satellite::agent {

/// What one run needs to go from request to report.
struct RunPipelineDependencies {
  sandbox::Runner& runner;
  Outbox& outbox;
  ScriptPackages& packages;
  protocol::RunStream& stream;
  sandbox::CancelSwitch& cancel;
};

struct RunPipelineInput {
  sandbox::RunRequest request;
  sandbox::ResolvedPolicy policy;
  bool collects_artifact = false;  ///< an automation hands its outputs on
};

/// One run from request to report: started, output as it comes and as the core takes it, and the
/// result. The last message is left to the caller, who may know better why the run ended.
struct RunPipelineOutcome {
  sandbox::RunResult result;
  protocol::ScriptFinished message;
  /// From the request to the first instruction; nothing if the script never started.
  std::optional<std::chrono::microseconds> setup{};
};
boost::asio::awaitable<RunPipelineOutcome> execute_run(RunPipelineDependencies dependencies,
                                                       RunPipelineInput input);

}  // namespace satellite::agent
