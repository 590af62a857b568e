#include "agent/checks/shell_collector.hpp"

#include "agent/checks/collector_outcome.hpp"
#include "agent/checks/collector_run.hpp"
#include "agent/checks/template/template_engine.hpp"
#include "agent/config/sandbox_settings.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;

namespace {

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
  add_secrets(request, {std::move(input.secrets), std::move(input.config.secret_references)},
              input.configured_values);
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
  auto request = request_from(input, services);
  if (!directory->empty()) request.working_directory = *std::move(directory);
  const auto run = co_await run_collector_script(services, std::move(request), input.control,
                                                 std::move(input.state));
  auto outcome = shell_collector_outcome(run.result, run.streams, run.circumstances);
  if (outcome) outcome->never_ran = sandbox::never_ran(run.result.outcome);
  co_return outcome;
}

}  // namespace satellite::agent
