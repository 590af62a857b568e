#include "agent/checks/collector_run.hpp"

#include "agent/checks/config/secret_reference.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "agent/packages/packages_of_run.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;

/// Keeps what a script writes, up to what one frame could ever carry.
class StreamCollector final : public sandbox::RunObserver {
 public:
  void started(const sandbox::EffectiveSandbox&, std::chrono::system_clock::time_point) override {
    setup = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - asked);
  }

  asio::awaitable<void> output(sandbox::OutputStream stream, std::string_view bytes) override {
    const std::size_t kept = streams.standard_output.size() + streams.standard_error.size();
    const std::size_t room =
        limits::frame_size_max.value - std::min<std::size_t>(kept, limits::frame_size_max.value);
    const bool is_output = stream == sandbox::OutputStream::standard_output;
    (is_output ? streams.standard_output : streams.standard_error).append(bytes.substr(0, room));
    streams.cut = streams.cut || bytes.size() > room;
    co_return;
  }

  CollectedStreams streams;
  Clock::time_point asked = Clock::now();
  std::optional<std::chrono::microseconds> setup;
};

/// Under file confinement the existing satellite ignores a check's directory and runs it in
/// scratch, where the host has the directory (core-contract 3.4). Here nobody asks the host: a
/// path that the core chooses may lie on a dead mount, which would stop the event loop, and the
/// answer would tell what exists where only root can look.
bool may_run_in_scratch(const sandbox::Policy& policy, const std::string& directory) {
  const bool confined = policy.enabled && policy.filesystem.mode != sandbox::FilesystemMode::off;
  return confined && directory.front() == '/';
}

}  // namespace

void add_secrets(sandbox::RunRequest& request, CollectorSecrets secrets,
                 const std::vector<Secret>& configured_values) {
  for (auto& [name, secret] : secrets.values) {
    const auto reference = secrets.references.find(name);
    if (reference != secrets.references.end()) {
      for (Secret& inside : secrets_inside(reference->second, secret.reveal())) {
        request.further_secrets.push_back(std::move(inside));
      }
    }
    request.environment.erase(name);
    request.secret_environment.insert_or_assign(name, std::move(secret));
  }
  for (const Secret& value : configured_values) {
    request.further_secrets.push_back(value.duplicate());
  }
}

asio::awaitable<CollectorRun> run_collector_script(CheckServices services,
                                                   sandbox::RunRequest request,
                                                   CheckControl& control, StateKey state) {
  // Before a slot is taken: others need none of it.
  const auto has_packages = co_await add_packages(services.packages, request, control.cancel);
  const auto slot = co_await services.slots.take(control.cancel);
  // A loan is a file in memory: none for those that wait.
  std::optional<CheckStates::Loan> loan;
  if (slot && has_packages) {
    auto taken = co_await services.states.take(std::move(state));
    request.state = taken.state();
    loan.emplace(std::move(taken));
  }
  auto policy = policy_for_run(services.policies.resolve(), services.config);
  if (request.working_directory) {
    request.may_run_in_scratch = may_run_in_scratch(policy.policy, *request.working_directory);
  }
  CollectorRun run;
  run.circumstances.failed_closed = policy.failed_closed;
  run.result.outcome = sandbox::Outcome::cancelled;
  run.result.sandbox.requested = policy.policy;
  StreamCollector collector;
  const std::string id = request.id.text;
  const auto begin = Clock::now();
  collector.asked = begin;
  if (!has_packages) {
    run.result = result_without_packages(has_packages.error(), policy.policy);
  } else if (slot) {
    auto result = co_await services.runner.run(std::move(request), std::move(policy), collector,
                                               control.cancel);
    run.result = std::move(result);
    loan->give_back(run.result.has_new_state);
  }
  if (slot || !has_packages) {
    services.statistics.ended(RunOrigin::check, id, run.result, collector.setup);
  }
  run.circumstances.took = std::chrono::round<std::chrono::milliseconds>(Clock::now() - begin);
  run.circumstances.deadline_passed = control.deadline_passed;
  run.streams = std::move(collector.streams);
  co_return run;
}

}  // namespace satellite::agent
