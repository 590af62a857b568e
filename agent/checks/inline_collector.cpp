#include "agent/checks/inline_collector.hpp"

#include "agent/checks/config/module_context.hpp"
#include "agent/checks/inline_outcome.hpp"
#include "agent/config/sandbox_settings.hpp"

#include <chrono>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;

namespace {

sandbox::RunRequest module_request_from(InlineCollectorInput& input,
                                        const CheckServices& services) {
  sandbox::RunRequest request;
  request.id = RunId(input.definition.context.check_id);
  request.language = sandbox::Language::module;
  request.script = std::move(input.config.script);
  request.module.context_json =
      Secret(module_context(input.entry.config_json, input.definition.context));
  request.timeout = std::chrono::ceil<std::chrono::milliseconds>(input.config.timeout);
  hold_timeout(request, services.config);
  add_secrets(request, std::move(input.secrets), input.configured_values);
  return request;
}

}  // namespace

asio::awaitable<std::optional<CollectorOutcome>> run_inline_collector(CheckServices services,
                                                                      InlineCollectorInput input) {
  auto request = module_request_from(input, services);
  const auto run = co_await run_collector_script(services, std::move(request), input.control,
                                                 std::move(input.state));
  auto outcome = inline_collector_outcome(run.result, run.streams, run.circumstances);
  if (outcome) outcome->never_ran = sandbox::never_ran(run.result.outcome);
  co_return outcome;
}

}  // namespace satellite::agent
