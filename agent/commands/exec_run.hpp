#pragma once

#include "agent/config/config.hpp"
#include "protocol/vocabulary/result.hpp"
#include "sandbox/policy/policy_provider.hpp"
#include "sandbox/report/outcome.hpp"
#include "sandbox/report/run_request.hpp"
#include "sandbox/running/runner.hpp"

#include <memory>

namespace satellite::agent {

/// A launcher and an event loop for scripts that `exec` runs one after the other.
class ExecRunner {
 public:
  /// Errors: the launcher's start.
  static Result<std::unique_ptr<ExecRunner>> make(const Config& config);
  ~ExecRunner();
  ExecRunner(const ExecRunner&) = delete;
  ExecRunner& operator=(const ExecRunner&) = delete;

  /// Runs to the end; SIGINT and SIGTERM cancel it. Nothing is prepared for a next one.
  sandbox::RunResult run(sandbox::RunnerSettings settings, sandbox::RunRequest request,
                         sandbox::ResolvedPolicy policy, sandbox::RunObserver& observer);

 private:
  struct State;
  explicit ExecRunner(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace satellite::agent
