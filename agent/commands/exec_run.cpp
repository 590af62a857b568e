#include "agent/commands/exec_run.hpp"

#include "agent/config/sandbox_settings.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/probing/probe.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

namespace satellite::agent {

namespace asio = boost::asio;

namespace {

/// What a run leaves in the loop may still look at these when the next one goes on there.
struct OneRun {
  OneRun(asio::io_context& context, sandbox::Launcher& launcher, const sandbox::HostFacts& facts,
         sandbox::RunnerSettings settings)
      : runner(context, launcher, facts, std::move(settings)), cancel(context) {}

  sandbox::Runner runner;
  sandbox::CancelSwitch cancel;
};

}  // namespace

struct ExecRunner::State {
  asio::io_context context{1};
  std::unique_ptr<sandbox::Launcher> launcher;
  sandbox::HostFacts facts;
  std::vector<std::unique_ptr<OneRun>> runs;
};

ExecRunner::ExecRunner(std::unique_ptr<State> state) : state_(std::move(state)) {}
ExecRunner::~ExecRunner() = default;

Result<std::unique_ptr<ExecRunner>> ExecRunner::make(const Config& config) {
  auto state = std::make_unique<State>();
  auto launcher = sandbox::Launcher::start(launcher_settings(config));
  if (!launcher) return launcher.error();
  state->launcher = *std::move(launcher);
  state->launcher->attach(state->context, [] {});
  sandbox::ProbeSettings probing = probe_settings(config);
  probing.tries_egress = false;  // the run itself asks, if its policy needs to know
  state->facts = sandbox::probe_host_first(state->context, *state->launcher, std::move(probing));
  return std::unique_ptr<ExecRunner>(new ExecRunner(std::move(state)));
}

sandbox::RunResult ExecRunner::run(sandbox::RunnerSettings settings, sandbox::RunRequest request,
                                   sandbox::ResolvedPolicy policy, sandbox::RunObserver& observer) {
  // There is no next run.
  settings.prepared_runs = 0;
  settings.standing_modules.count_max = 0;
  OneRun& run = *state_->runs.emplace_back(std::make_unique<OneRun>(
      state_->context, *state_->launcher, state_->facts, std::move(settings)));
  asio::signal_set signals(state_->context, SIGINT, SIGTERM);
  signals.async_wait([&run](boost::system::error_code problem, int) {
    if (!problem) run.cancel.cancel();
  });
  std::optional<sandbox::RunResult> result;
  std::exception_ptr failure;
  asio::co_spawn(state_->context,
                 run.runner.run(std::move(request), std::move(policy), observer, run.cancel),
                 [&](std::exception_ptr thrown, sandbox::RunResult ended) {
                   failure = thrown;
                   result = std::move(ended);
                   state_->context.stop();
                 });
  state_->context.restart();
  state_->context.run();
  if (failure) std::rethrow_exception(failure);
  return *std::move(result);
}

}  // namespace satellite::agent
