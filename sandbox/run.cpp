// One run from request to result, top to bottom: plan, order, set-up, script, end. Everything that
// can go wrong is an Outcome; once the script exists, nothing returns before it is dead.
#include "sandbox/run.hpp"

#include "protocol/vocabulary/limits.hpp"
#include "sandbox/build_plan.hpp"
#include "sandbox/capture/capped_output.hpp"
#include "sandbox/launcher/launcher_link.hpp"
#include "sandbox/planning/identity_plan.hpp"
#include "sandbox/planning/make_launch_order.hpp"
#include "sandbox/probing/egress.hpp"
#include "sandbox/running/ending.hpp"
#include "sandbox/running/execution.hpp"
#include "sandbox/running/lease_identity.hpp"
#include "sandbox/running/limit_reached.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

namespace satellite::sandbox {

namespace asio = boost::asio;

namespace {

using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;

// Larger pipes let script and agent take turns less often; unprivileged users may still ask for it.
constexpr int pipe_size = 256 << 10;

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

struct Pipe {
  UniqueFd read_end, write_end;
};

Result<Pipe> make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return error_from_errno("pipe2", errno);
  ::fcntl(ends[0], F_SETPIPE_SZ, pipe_size);
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

NamedValues named_values(const RunRequest& request) {
  NamedValues values(request.environment.begin(), request.environment.end());
  for (const auto& [name, secret] : request.secret_environment) {
    values.emplace_back(name, std::string(secret.reveal()));
  }
  return values;
}

std::vector<std::string_view> secret_values(const RunRequest& request) {
  std::vector<std::string_view> values;
  for (const auto& [name, secret] : request.secret_environment) values.push_back(secret.reveal());
  for (const Secret& secret : request.further_secrets) values.push_back(secret.reveal());
  return values;
}

bool asks_for_a_way_out(const Policy& policy) {
  const NetworkPolicy& network = policy.network;
  if (!policy.enabled) return false;
  if (network.mode == NetworkMode::unrestricted) return network.deny_link_local_and_metadata;
  return network.mode == NetworkMode::allowlist && !network.allow.empty();
}

OutputBudget budget_of(const Plan& plan) {
  return OutputBudget(plan.output_size_max.value_or(limits::output_size_max_without_policy));
}

const EffectiveSandbox& promise_of(const Decision& decision) {
  if (const auto* refusal = std::get_if<Refusal>(&decision)) return refusal->promise;
  return std::get<Plan>(decision).promise;
}

}  // namespace

/// What the launcher gets, and what the run holds while it lives.
struct Ordered {
  LaunchOrder order;
  Leased lease;
};

struct Runner::State {
  State(asio::io_context& io, Launcher& process, RunnerSettings chosen)
      : context(io),
        launcher(process),
        settings(std::move(chosen)),
        base_environment(safe_base(own_environment())),
        host_learned(io, asio::steady_timer::time_point::max()),
        egress_tried(io, asio::steady_timer::time_point::max()) {}

  asio::awaitable<void> until_host_is_known(const CancelSwitch& cancel);
  asio::awaitable<void> try_egress();
  Decision decide_on(const RunRequest& request, const ResolvedPolicy& policy,
                     const std::string& scratch_directory, const Leased& lease) const;
  Result<LaunchOrder> order_for(const Plan& plan, const RunRequest& request,
                                std::uint64_t number) const;
  asio::awaitable<void> perform(const Plan& plan, Ordered ordered, const RunRequest& request,
                                RunObserver& observer, CancelSwitch& cancel, RunResult& result);

  asio::io_context& context;
  Launcher& launcher;
  HostFacts facts{};
  bool host_is_known = false;
  RunnerSettings settings;
  std::map<std::string, std::string> base_environment;
  asio::steady_timer host_learned;  ///< rings for the runs that wait until it is known
  bool trying_egress = false;
  asio::steady_timer egress_tried;  ///< rings for who waits until it was tried
};

asio::awaitable<void> Runner::State::until_host_is_known(const CancelSwitch& cancel) {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  auto learned = host_learned.async_wait(token);
  auto cancelled = cancel.wait();
  co_await (std::move(learned) || std::move(cancelled));
}

/// Tried when the first run needs it: starting up is not slower for what most policies never ask.
asio::awaitable<void> Runner::State::try_egress() {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  if (trying_egress) {
    co_await egress_tried.async_wait(token);
    co_return;
  }
  trying_egress = true;
  ProbeSettings probe{settings.default_identity, settings.macvlan, true};
  co_await probe_egress(context, launcher, std::move(probe), facts);
  egress_tried.cancel();
}

Decision Runner::State::decide_on(const RunRequest& request, const ResolvedPolicy& policy,
                                  const std::string& scratch_directory, const Leased& lease) const {
  RunInputs inputs;
  inputs.command = {"sh", "-c", request.script};
  inputs.base_environment = base_environment;
  inputs.environment = named_values(request);
  // With the sandbox switched off a script runs where the agent runs, as upstream.
  if (policy.policy.enabled) inputs.scratch_directory = scratch_directory;
  inputs.working_directory = request.working_directory;
  inputs.default_identity = settings.default_identity;
  inputs.has_identity_range = launcher.identities() != nullptr;
  if (lease) inputs.own_identity = lease->identity();
  inputs.engines = settings.engines;
  inputs.agent_identity = Identity{::geteuid(), ::getegid()};
  inputs.launcher_makes_network = true;
  inputs.cpu_percent = settings.cpu_percent;
  return build_plan(policy, facts, std::move(inputs), host_world());
}

Result<LaunchOrder> Runner::State::order_for(const Plan& plan, const RunRequest& request,
                                             std::uint64_t number) const {
  OrderInputs inputs;
  inputs.run_number = number;
  inputs.language = request.language;
  if (request.has_standard_input) inputs.standard_input = request.standard_input;
  auto order = make_launch_order(plan, std::move(inputs));
  // The plan names the wrapper as the command line would; the launcher searches no path.
  if (order && !order->wrapper.empty()) order->wrapper.front() = facts.wrapper_path;
  return order;
}

asio::awaitable<void> Runner::State::perform(const Plan& plan, Ordered ordered,
                                             const RunRequest& request, RunObserver& observer,
                                             CancelSwitch& cancel, RunResult& result) {
  const LaunchOrder& order = ordered.order;
  auto standard_output = make_pipe();
  auto standard_error = make_pipe();
  if (!standard_output || !standard_error) {
    co_return describe_failure(result,
                               standard_output ? standard_error.error() : standard_output.error());
  }
  Launcher::Streams streams{std::move(standard_output->write_end),
                            std::move(standard_error->write_end)};
  auto link = launcher.start_run(order, std::move(streams), std::move(ordered.lease));
  if (!link) co_return describe_failure(result, link.error());

  const SecretPatterns secrets(secret_values(request));
  CappedOutput output(context, budget_of(plan), secrets, observer);
  Execution execution(context, *std::move(link), cancel, output, settings.grace);
  const bool ready = co_await execution.set_up();
  if (ready) {
    result.sandbox = effective_from(plan.promise, order.expectation, execution.posture());
    result.started_at = std::chrono::system_clock::now();
    const auto begin = Clock::now();
    std::exception_ptr problem = tell_started(observer, result);
    if (problem) cancel.cancel();
    auto watching = execution.watch(request.timeout);
    auto reading_output =
        output.read(OutputStream::standard_output, std::move(standard_output->read_end));
    auto reading_error =
        output.read(OutputStream::standard_error, std::move(standard_error->read_end));
    co_await (std::move(watching) && std::move(reading_output) && std::move(reading_error));
    result.duration = std::chrono::ceil<std::chrono::milliseconds>(Clock::now() - begin);
    describe_output(result, output.budget());
    if (!problem) problem = output.failure();
    if (problem) std::rethrow_exception(problem);
  }
  describe_end(result, execution.end(), execution.stopped_by());
  if (!result.error) result.error = limit_reached(result, plan);
}

Runner::Runner(asio::io_context& context, Launcher& launcher, RunnerSettings settings)
    : state_(std::make_unique<State>(context, launcher, std::move(settings))) {}
Runner::Runner(asio::io_context& context, Launcher& launcher, HostFacts facts,
               RunnerSettings settings)
    : Runner(context, launcher, std::move(settings)) {
  learn(std::move(facts));
}
Runner::~Runner() = default;

void Runner::learn(HostFacts facts) {
  state_->facts = std::move(facts);
  state_->host_is_known = true;
  state_->host_learned.cancel();
}

const HostFacts& Runner::facts() const {
  return state_->facts;
}

asio::awaitable<RunResult> Runner::run(RunRequest request, ResolvedPolicy policy,
                                       RunObserver& observer, CancelSwitch& cancel) {
  co_await asio::this_coro::throw_if_cancelled(false);
  RunResult result;
  result.started_at = std::chrono::system_clock::now();  // until the script really starts
  if (!state_->host_is_known) {
    co_await state_->until_host_is_known(cancel);
  }
  if (state_->facts.egress_untried && asks_for_a_way_out(policy.policy)) {
    co_await state_->try_egress();
  }
  const std::uint64_t number = state_->launcher.next_run_number();
  const std::string scratch = state_->launcher.scratch_area() + "/run-" + std::to_string(number);
  const bool takes_own = takes_own_identity(policy.policy, state_->facts);
  IdentityPool* const pool = takes_own ? state_->launcher.identities() : nullptr;
  auto lease = co_await lease_identity(state_->context, pool, cancel);
  if (!lease) {
    describe_failure(result, lease.error());
    co_return result;
  }
  auto decision = state_->decide_on(request, policy, scratch, *lease);
  if (cancel.cancelled() || !state_->host_is_known) {
    result.sandbox = not_measured(promise_of(decision));
    result.outcome = Outcome::cancelled;
    co_return result;
  }
  if (auto* refusal = std::get_if<Refusal>(&decision)) {
    describe_refusal(result, std::move(refusal->promise));
    co_return result;
  }
  const Plan plan = std::get<Plan>(std::move(decision));
  result.dropped_environment = plan.dropped_environment;
  result.sandbox = not_measured(plan.promise);
  if (request.language != Language::shell) {
    const Error error{ErrorCode::unsupported, "this build runs shell scripts only"};
    describe_failure(result, error);
    co_return result;
  }
  auto order = state_->order_for(plan, request, number);
  if (!order) {
    describe_failure(result, order.error());
    co_return result;
  }
  Ordered ordered{*std::move(order), *std::move(lease)};
  co_await state_->perform(plan, std::move(ordered), request, observer, cancel, result);
  co_return result;
}

}  // namespace satellite::sandbox
