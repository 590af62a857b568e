#include "agent/checks/shell_collector.hpp"

#include "agent/checks/collector_outcome.hpp"
#include "agent/checks/config/secret_reference.hpp"
#include "agent/checks/template/template_engine.hpp"
#include "agent/config/sandbox_settings.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;

/// Keeps what a script writes, up to what one frame could ever carry.
class Collector final : public sandbox::RunObserver {
 public:
  void started(const sandbox::EffectiveSandbox&, std::chrono::system_clock::time_point) override {}

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
};

CollectorOutcome thrown(std::string text) {
  CollectorOutcome end;
  end.outcome = ThrownOutcome{std::move(text)};
  return end;
}

ScriptDate date_now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
}

/// A variable whose value came as a secret is handed over as one, so that it is masked.
bool is_secret(const std::string& value, const std::vector<Secret>& secrets) {
  return std::any_of(secrets.begin(), secrets.end(),
                     [&value](const Secret& secret) { return secret.reveal() == value; });
}

/// Under file confinement the existing satellite ignores a check's directory and runs it in
/// scratch, where the host has the directory (core-contract 3.4). Here nobody asks the host: a
/// path that the core chooses may lie on a dead mount, which would stop the event loop, and the
/// answer would tell what exists where only root can look.
bool may_run_in_scratch(const sandbox::Policy& policy, const std::string& directory) {
  const bool confined = policy.enabled && policy.filesystem.mode != sandbox::FilesystemMode::off;
  return confined && directory.front() == '/';
}

sandbox::RunRequest request_from(ShellCollectorInput& input, const CheckServices& services) {
  sandbox::RunRequest request;
  request.id = RunId(input.definition.context.check_id);
  request.script = std::move(input.config.script);
  request.timeout = input.config.timeout;
  hold_timeout(request, services.config);
  auto known = shell_variables(input.definition.context);
  if (!known.skipped.empty()) {
    services.log.debug(
        "fields_skipped", "their names make no variable, or one that is taken",
        {{"check", input.definition.context.check_id}, {"fields", known.skipped.size()}});
  }
  request.environment = std::move(known.variables);
  for (auto& [name, value] : input.config.environment) {
    if (is_secret(value, input.configured_values)) {
      request.environment.erase(name);
      request.secret_environment.insert_or_assign(name, Secret(std::move(value)));
    } else {
      request.environment.insert_or_assign(name, std::move(value));
    }
  }
  for (auto& [name, secret] : input.secrets) {
    const auto reference = input.config.secret_references.find(name);
    if (reference != input.config.secret_references.end()) {
      for (Secret& inside : secrets_inside(reference->second, secret.reveal())) {
        request.further_secrets.push_back(std::move(inside));
      }
    }
    request.environment.erase(name);
    request.secret_environment.insert_or_assign(name, std::move(secret));
  }
  for (const Secret& value : input.configured_values) {
    request.further_secrets.push_back(value.duplicate());
  }
  return request;
}

}  // namespace

asio::awaitable<std::optional<CollectorOutcome>> run_shell_collector(CheckServices services,
                                                                     ShellCollectorInput input) {
  const std::string directory_template = input.config.working_directory.value_or("");
  auto directory = render_template(directory_template, input.definition.template_scope, date_now());
  if (!directory) {
    const bool has_class = directory.error().code == ErrorCode::unsupported;
    co_return thrown((has_class ? "" : "Error: ") + directory.error().message);
  }
  const auto slot = co_await services.slots.take(input.control.cancel);
  auto request = request_from(input, services);
  auto policy = policy_for_run(services.policies.resolve(), services.config);
  if (!directory->empty()) {
    request.may_run_in_scratch = may_run_in_scratch(policy.policy, *directory);
    request.working_directory = *std::move(directory);
  }
  RunCircumstances circumstances;
  circumstances.failed_closed = policy.failed_closed;
  sandbox::RunResult result;
  result.outcome = sandbox::Outcome::cancelled;
  result.sandbox.requested = policy.policy;
  Collector collector;
  const auto begin = Clock::now();
  if (slot) {
    result = co_await services.runner.run(std::move(request), std::move(policy), collector,
                                          input.control.cancel);
  }
  circumstances.took = std::chrono::round<std::chrono::milliseconds>(Clock::now() - begin);
  circumstances.deadline_passed = input.control.deadline_passed;
  co_return shell_collector_outcome(result, collector.streams, circumstances);
}

}  // namespace satellite::agent
