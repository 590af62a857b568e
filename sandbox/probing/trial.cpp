#include "sandbox/probing/trial.hpp"

#include "sandbox/launcher/client/ending.hpp"
#include "sandbox/launcher/client/make_launch_order.hpp"
#include "sandbox/planning/build_plan.hpp"
#include "sandbox/probing/trial_command.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

// A trial takes milliseconds; this is for a host that is stuck.
constexpr std::chrono::seconds trial_time_max{20};
// Any number below the usual limit will do: it shows up in /proc/PID/limits or it does not.
constexpr std::uint64_t trial_open_files = 64;

asio::awaitable<TrialOutcome> end_of(asio::io_context& context, LaunchedRunLink link,
                                     Posture* measured) {
  using namespace asio::experimental::awaitable_operators;
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  asio::steady_timer alarm(context, trial_time_max);
  TrialOutcome end;
  while (!end) {
    auto spoke = link.arrived();
    auto rang = alarm.async_wait(token);
    const auto first = co_await (std::move(spoke) || std::move(rang));
    if (first.index() == 1) co_return std::nullopt;  // the link ends the run
    while (auto record = link.take()) {
      const auto* const started = std::get_if<RunStarted>(&record->event);
      if (started != nullptr && measured != nullptr) *measured = started->posture;
      if (started == nullptr) end = std::move(record);
    }
  }
  co_return end;
}

}  // namespace

asio::awaitable<TrialOutcome> try_order(asio::io_context& context, Launcher& launcher,
                                        LaunchOrder order, Posture* measured) {
  Launcher::Streams silence{UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC)),
                            UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC))};
  auto link = launcher.start_run(order, std::move(silence));
  if (!link) co_return std::nullopt;
  auto ending = end_of(context, *std::move(link), measured);
  const auto end = co_await std::move(ending);
  co_return end;
}

asio::awaitable<TrialOutcome> try_namespaces(asio::io_context& context, Launcher& launcher,
                                             std::optional<Identity> identity) {
  auto link = launcher.start_namespaces(identity);
  if (!link) co_return std::nullopt;
  auto ending = end_of(context, *std::move(link), nullptr);
  const auto end = co_await std::move(ending);
  co_return end;
}

std::string problem_of_trial(const TrialOutcome& end) {
  if (!end) return "the launcher did not answer in time";
  RunResult result;
  describe_end(result, *end, StopReason::none);
  if (result.outcome == Outcome::exited && result.exit_code == 0) return {};
  if (result.error) return *result.error;
  return "the trial command ended with " + std::to_string(result.exit_code);
}

int error_number_of(const TrialOutcome& end) {
  if (!end) return 0;
  const auto* failure = std::get_if<RunSetupFailed>(&end->event);
  return failure == nullptr ? 0 : failure->error_number;
}

LaunchOrder bare_trial(Launcher& launcher, const std::optional<Identity>& identity) {
  LaunchOrder order;
  order.run_number = launcher.next_run_number();
  order.command = trial_command(this_host_programs());
  order.identity = identity;
  order.resource_settings = {{Resource::open_files, trial_open_files}};
  order.expectation.identity = identity;
  order.expectation.not_host_root = identity.has_value();
  order.expectation.resource_settings = order.resource_settings;
  return order;
}

Result<LaunchOrder> trial_order(Launcher& launcher, const HostFacts& hoped, const Policy& policy,
                                const std::optional<Identity>& identity,
                                const std::vector<Engine>& engines) {
  OrderInputs order_inputs;
  order_inputs.run_number = launcher.next_run_number();
  RunInputs inputs;
  inputs.command = trial_command(this_host_programs());
  inputs.scratch_directory = launcher.scratch_directory(order_inputs.run_number);
  inputs.default_identity = identity;
  inputs.agent_identity = Identity{::geteuid(), ::getegid()};
  inputs.launcher_makes_network = true;
  inputs.engines = engines;
  const auto decision = build_plan({policy, false}, hoped, std::move(inputs), this_host_paths());
  if (const auto* refusal = std::get_if<Refusal>(&decision)) {
    return Error{ErrorCode::unsupported, refusal_text(refusal->promise.downgrades)};
  }
  return make_launch_order(std::get<Plan>(decision), std::move(order_inputs));
}

}  // namespace satellite::sandbox
