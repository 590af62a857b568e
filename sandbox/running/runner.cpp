// One run from request to result, top to bottom: plan, order, set-up, script, end. Everything that
// can go wrong is an Outcome; once the script exists, nothing returns before it is dead.
#include "sandbox/running/runner.hpp"

#include "protocol/vocabulary/limits.hpp"
#include "protocol/vocabulary/printable.hpp"
#include "sandbox/capture/capped_output.hpp"
#include "sandbox/capture/masked_values.hpp"
#include "sandbox/launcher/client/effective_report.hpp"
#include "sandbox/launcher/client/ending.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"
#include "sandbox/launcher/wire/order_codec.hpp"
#include "sandbox/planning/identity_plan.hpp"
#include "sandbox/probing/egress.hpp"
#include "sandbox/running/execution.hpp"
#include "sandbox/running/lease_identity.hpp"
#include "sandbox/running/limit_reached.hpp"
#include "sandbox/running/masked_answer.hpp"
#include "sandbox/running/module_runtimes.hpp"
#include "sandbox/running/ready_runs.hpp"
#include "sandbox/running/run_channel.hpp"
#include "sandbox/running/run_hints.hpp"
#include "sandbox/running/run_planner.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

namespace satellite::sandbox {
namespace asio = boost::asio;

namespace {

using namespace asio::experimental::awaitable_operators;
using Clock = std::chrono::steady_clock;

OutputBudget budget_of(const Plan& plan) {
  return OutputBudget(plan.output_size_max.value_or(limits::output_size_max_without_policy));
}

const EffectiveSandbox& promise_of(const Decision& decision) {
  if (const auto* refusal = std::get_if<Refusal>(&decision)) return refusal->promise;
  return std::get<Plan>(decision).promise;
}

/// The directory that the sandbox does not have, where the script may run in scratch instead.
std::optional<std::string> give_way_to_scratch(RunRequest& request, const RunResult& result) {
  if (!result.lacked_working_directory || !request.may_run_in_scratch) return std::nullopt;
  return std::exchange(request.working_directory, std::nullopt);
}

/// How it ended, after its output was described.
void describe(const Execution& execution, const Plan& plan, const RunRequest& request,
              RunResult& result) {
  describe_end(result, execution.end(), execution.stopped_by());
  describe_missing_command(result, execution.end(), plan.command.front());
  describe_state(result, execution.end(), request.state);
  if (!result.error) result.error = limit_reached(result, plan);
}

asio::awaitable<void> keeping_exception(asio::awaitable<void> work, std::exception_ptr& thrown) {
  try {
    co_await std::move(work);
  } catch (...) {
    thrown = std::current_exception();
  }
}

void begin_anew(RunResult& result) {
  const auto began = result.started_at;
  result = RunResult{};
  result.started_at = began;
}

void report_directory(RunResult& result, const std::string& directory) {
  result.sandbox.notes.push_back(
      {Layer::filesystem, "the working directory " + directory +
                              " does not exist in the sandbox: the script ran in its "
                              "scratch directory"});
}

}  // namespace

/// One run while it goes on: its request, and what it holds until its end.
struct ActiveRun {
  const RunRequest& request;
  const ResolvedPolicy& policy;
  RunObserver& observer;
  CancelSwitch& cancel;
  RunResult& result;
  std::optional<PreparedRuns::Ready> ready{};     ///< it only needs its task
  std::optional<ModuleRuntime> runtime{};         ///< of a module
  std::optional<StandingRuns::Ready> standing{};  ///< its runtime waits for the task
  std::string lacks_runtime{};                    ///< why a module has none
  RunSlot slot{};
  Leased lease{};
  bool has_started = false;   ///< the script
  bool may_have_run = false;  ///< the script, or a part of it
};

struct Runner::State {
  State(asio::io_context& io, Launcher& process, RunnerSettings chosen)
      : context(io),
        launcher(process),
        planner(process, std::move(chosen)),
        host_learned(io, asio::steady_timer::time_point::max()),
        egress_tried(io, asio::steady_timer::time_point::max()),
        runtimes(io, planner.settings().module_runtime,
                 [this](RunRequest request, ModuleRuntime runtime) {
                   return try_runtime(std::move(request), std::move(runtime));
                 }),
        ready_runs(io, process, planner) {}

  RunResult told(RunResult& result) const {
    return planner.settings().on_result(result), std::move(result);
  }
  class TryingEgress;
  asio::awaitable<void> until_host_is_known(const CancelSwitch& cancel);
  asio::awaitable<void> try_egress();
  asio::awaitable<void> try_egress_unless(CancelSwitch& cancel);
  asio::awaitable<void> carry_out(ActiveRun& run);
  asio::awaitable<RunResult> try_runtime(RunRequest request, ModuleRuntime runtime);
  asio::awaitable<void> find_runtime(ActiveRun& run);
  void take_standing(ActiveRun& run);
  void take_prepared(ActiveRun& run);
  asio::awaitable<bool> take_slot(ActiveRun& run);
  asio::awaitable<void> take_answer(AnswerPipe& pipe, const Plan& plan,
                                    const SecretPatterns& secrets, ActiveRun& run);
  asio::awaitable<void> perform(const Plan& plan, const LaunchOrder& order, ActiveRun& run);
  EndingTimes ending_times() const {
    return {planner.settings().grace, planner.settings().quiet_after_answer};
  }
  Result<LaunchedRunLink> launch(const LaunchOrder& order, Launcher::Streams streams,
                                 ActiveRun& run);
  Result<RunChannel> open_channel(const Plan& plan, const LaunchOrder& order, ActiveRun& run);

  asio::io_context& context;
  Launcher& launcher;
  RunPlanner planner;
  bool host_is_known = false;
  asio::steady_timer host_learned;  ///< cancelled when it is, for the runs that wait
  bool trying_egress = false;
  asio::steady_timer egress_tried;  ///< cancelled when it was tried, for the runs that wait
  ModuleRuntimes runtimes;
  ReadyRuns ready_runs;
};

/// While one run tries it, the others wait; they are woken however that ends.
class Runner::State::TryingEgress {
 public:
  explicit TryingEgress(State& state) : state_(state) { state_.trying_egress = true; }
  ~TryingEgress() {
    state_.trying_egress = false;
    state_.egress_tried.cancel();
  }
  TryingEgress(const TryingEgress&) = delete;
  TryingEgress& operator=(const TryingEgress&) = delete;

 private:
  State& state_;
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
  while (trying_egress) {
    co_await egress_tried.async_wait(token);
  }
  // The run that tried it may have failed to find out: then the next one tries.
  if (!planner.facts.egress_untried) co_return;
  const TryingEgress trying(*this);
  ProbeSettings probe{planner.settings().default_identity, planner.settings().macvlan, true,
                      planner.settings().engines};
  co_await probe_egress(context, launcher, std::move(probe), planner.facts);
}

/// Who cancels a run does not wait for a host that is stuck; the next run tries again then. What is
/// thrown is kept until both sides have ended, since `||` would wait for the switch.
asio::awaitable<void> Runner::State::try_egress_unless(CancelSwitch& cancel) {
  std::exception_ptr thrown;
  auto trying = keeping_exception(try_egress(), thrown);
  auto cancelled = cancel.wait();
  co_await (std::move(trying) || std::move(cancelled));
  if (thrown && !cancel.cancelled()) std::rethrow_exception(thrown);
}

Result<LaunchedRunLink> Runner::State::launch(const LaunchOrder& order, Launcher::Streams streams,
                                              ActiveRun& run) {
  if (!run.ready) return launcher.start_run(order, std::move(streams), std::move(run.lease));
  const auto begun = launcher.begin_run(order, std::move(streams));
  if (!begun) return begun.error();
  return std::move(run.ready->link);
}

/// A run that is made now, one that stood prepared, or one whose runtime waits for its task.
Result<RunChannel> Runner::State::open_channel(const Plan& plan, const LaunchOrder& order,
                                               ActiveRun& run) {
  if (run.standing) {
    StandingRuns::Ready& ready = *run.standing;
    if (encode_setup(order) != ready.setup) {
      return Error{ErrorCode::internal, "the runtime stands in another sandbox"};
    }
    auto text = RunPlanner::task_for(plan, run.request);
    if (!text) return text.error();
    return RunChannel{std::move(ready.link),           std::move(ready.standard_output),
                      std::move(ready.standard_error), std::move(ready.answer),
                      std::move(ready.task),           Secret(*std::move(text)),
                      std::move(ready.started)};
  }
  auto pipes = make_run_pipes(plan, run.request);
  if (!pipes) return pipes.error();
  auto link = launch(order, scripts_ends(*pipes), run);
  if (!link) return link.error();
  return RunChannel{*std::move(link), std::move(pipes->standard_output.read_end),
                    std::move(pipes->standard_error.read_end), std::move(pipes->answer.read_end)};
}

asio::awaitable<void> Runner::State::perform(const Plan& plan, const LaunchOrder& order,
                                             ActiveRun& run) {
  RunResult& result = run.result;
  const auto masked = masked_values(run.request);
  if (!masked) co_return describe_failure(result, masked.error());
  if (run.standing) {
    // The plan was made while the launcher looked at it.
    const auto counted = co_await ready_runs.counted_again(*run.standing);
    if (!counted) co_return describe_failure(result, counted.error());
  }
  auto channel = open_channel(plan, order, run);
  if (!channel) co_return describe_failure(result, channel.error());

  const SecretPatterns secrets(*masked);
  BeginningOfOutput beginning(run.observer);
  CappedOutput output(context, budget_of(plan), secrets, beginning);
  AnswerPipe answer(context);
  const bool has_answer = bool{channel->answer};
  Execution execution(context, std::move(channel->link), run.cancel, output,
                      has_answer ? &answer : nullptr, ending_times());
  bool ready = channel->was_started.has_value();
  if (ready) {
    execution.resume(*std::move(channel->was_started));
    answer.assume_loaded();
  } else {
    ready = co_await execution.set_up();
  }
  if (ready) {
    run.has_started = true;
    result.was_prepared = run.ready.has_value() || run.standing.has_value();
    result.root_was_ready = execution.made_ahead().root;
    result.network_was_ready = execution.made_ahead().network;
    result.sandbox = effective_from(plan.promise, order.expectation, execution.posture());
    result.started_at = std::chrono::system_clock::now();
    const auto begin = Clock::now();
    std::exception_ptr problem = report_started(run.observer, result);
    if (problem) run.cancel.cancel();
    auto watching = execution.watch(run.request.timeout);
    auto reading_output =
        output.read(OutputStream::standard_output, std::move(channel->standard_output));
    auto reading_error =
        output.read(OutputStream::standard_error, std::move(channel->standard_error));
    auto reading_answer = answer.read(std::move(channel->answer));
    auto writing_task =
        write_task(context, std::move(channel->task), std::move(channel->task_text));
    co_await (std::move(watching) && std::move(reading_output) && std::move(reading_error) &&
              std::move(reading_answer) && std::move(writing_task));
    result.duration = std::chrono::ceil<std::chrono::milliseconds>(Clock::now() - begin);
    describe_output(result, output.budget());
    if (!problem) problem = output.failure();
    if (problem) std::rethrow_exception(problem);
  }
  describe(execution, plan, run.request, result);
  if (ready) result.sandbox.hints = hints_of(run.request, plan, result.sandbox, beginning.text());
  if (ready && has_answer) {
    auto taking = take_answer(answer, plan, secrets, run);
    co_await std::move(taking);
  }
  run.may_have_run = ready || !execution.script_never_ran();
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
  state_->planner.facts = std::move(facts);
  state_->host_is_known = true;
  state_->host_learned.cancel();
}

const HostFacts& Runner::facts() const {
  return state_->planner.facts;
}

/// What a module said, without secrets; or why it said nothing, where that is known.
asio::awaitable<void> Runner::State::take_answer(AnswerPipe& pipe, const Plan& plan,
                                                 const SecretPatterns& secrets, ActiveRun& run) {
  RunResult& result = run.result;
  auto answer = pipe.take();
  if (!answer) {
    if (result.outcome == Outcome::timed_out && !pipe.is_loaded()) {
      result.error = "the JavaScript runtime did not start in time (" + plan.promise.runtime +
                     "): a limit of the policy may be too low for it (node needs 16 of "
                     "maxProcesses and 64 of maxOpenFiles)";
    }
    co_return;
  }
  shorten_paths(*answer, plan.scratch_directory);
  auto masked = co_await masked_answer(context, secrets, *std::move(answer));
  result.answer = std::move(masked);
}

/// A run like any other, under the policy that most runs have.
asio::awaitable<RunResult> Runner::State::try_runtime(RunRequest request, ModuleRuntime runtime) {
  ResolvedPolicy policy{shipped_default_policy(), false};
  policy.policy.on_unavailable = OnUnavailable::degrade;
  TrialListener listener;
  CancelSwitch cancel(context);
  RunResult result;
  ActiveRun run{request, policy, listener, cancel, result, std::nullopt, std::move(runtime)};
  co_await carry_out(run);
  if (!result.error && !listener.complaint.empty()) result.error = printable(listener.complaint);
  co_return result;
}

asio::awaitable<void> Runner::State::find_runtime(ActiveRun& run) {
  if (run.request.language != Language::module || !host_is_known) co_return;
  auto found = co_await runtimes.find();
  if (found) {
    run.runtime = *std::move(found);
  } else {
    run.lacks_runtime = found.error().message;
  }
}

void Runner::State::take_standing(ActiveRun& run) {
  if (!run.runtime || !planner.may_stand()) return;
  auto standing = ready_runs.take_standing(run.request, run.policy, *run.runtime);
  if (standing) run.standing.emplace(*std::move(standing));
}

void Runner::State::take_prepared(ActiveRun& run) {
  if (!run.runtime) return;
  auto ready = ready_runs.take_for_module(run.request, run.policy, *run.runtime);
  if (ready) run.ready.emplace(*std::move(ready));
}

/// A number, and an identity where runs have one of their own; false when there is none.
asio::awaitable<bool> Runner::State::take_slot(ActiveRun& run) {
  if (run.ready) {
    run.slot = {run.ready->number, run.ready->own_identity};
    co_return true;
  }
  if (run.standing) {
    run.slot = {run.standing->number, run.standing->own_identity};
    co_return true;
  }
  const HostView& view = planner.settings().host_view;
  const OwnIds wanted = own_ids_of(run.policy.policy, planner.facts,
                                   view.is_for(run.request.kind) ? view : HostView{});
  auto lease = co_await lease_identity(context, launcher.identities(), wanted, run.cancel);
  if (!lease) {
    describe_failure(run.result, lease.error());
    co_return false;
  }
  run.slot.number = launcher.next_run_number();
  if (*lease) {
    run.slot.own_identity = (*lease)->identity();
    run.lease.emplace(std::move(**lease));
  }
  co_return true;
}

asio::awaitable<void> Runner::State::carry_out(ActiveRun& run) {
  RunResult& result = run.result;
  result.is_module = run.request.language == Language::module;
  const bool has_slot = co_await take_slot(run);
  if (!has_slot) co_return;
  run.slot.runtime = run.runtime;
  auto decision = planner.decide(run.request, run.policy, run.slot);
  if (run.cancel.cancelled() || !host_is_known) {
    result.sandbox = not_measured(promise_of(decision));
    result.outcome = Outcome::cancelled;
    co_return;
  }
  if (auto* refusal = std::get_if<Refusal>(&decision)) {
    co_return describe_refusal(result, std::move(refusal->promise));
  }
  const Plan plan = std::get<Plan>(std::move(decision));
  result.dropped_environment = plan.dropped_environment;
  result.sandbox = not_measured(plan.promise);
  if (run.request.language == Language::module && !run.runtime) {
    const Error error{ErrorCode::unsupported, run.lacks_runtime};
    co_return describe_failure(result, error);
  }
  const auto order = planner.order_for(plan, run.request, run.slot);
  if (!order) co_return describe_failure(result, order.error());
  co_await perform(plan, *order, run);
}

asio::awaitable<RunResult> Runner::run(RunRequest request, ResolvedPolicy policy,
                                       RunObserver& observer, CancelSwitch& cancel) {
  co_await asio::this_coro::throw_if_cancelled(false);
  RunResult result;
  result.started_at = std::chrono::system_clock::now();  // until the script really starts
  if (!state_->host_is_known) {
    co_await state_->until_host_is_known(cancel);
  }
  if (state_->planner.facts.egress_untried && asks_for_a_way_out(policy.policy)) {
    auto trying = state_->try_egress_unless(cancel);
    co_await std::move(trying);
  }
  std::optional<std::string> missing_directory;
  const bool may_be_prepared = state_->planner.may_use_prepared(request);
  if (request.language == Language::shell && may_be_prepared) {
    if (auto ready = state_->ready_runs.take_for_shell(policy)) {
      ActiveRun run{request, policy, observer, cancel, result, std::move(ready)};
      co_await state_->carry_out(run);
      if (run.may_have_run || cancel.cancelled()) co_return state_->told(result);
      // The prepared run was lost and nothing of the script ran: start it as if nothing had been
      // prepared. An error that remains is reported then.
      state_->ready_runs.tell_dropped("prepared_run", result.error.value_or(""));
      missing_directory = give_way_to_scratch(request, result);
      begin_anew(result);
    }
  }
  ActiveRun run{request, policy, observer, cancel, result};
  std::optional<ReadyRuns::ModuleRunning> running;
  if (request.language == Language::module) running.emplace(state_->ready_runs);
  co_await state_->find_runtime(run);
  if (may_be_prepared) {
    state_->take_standing(run);
    if (!run.standing) state_->take_prepared(run);
  }
  co_await state_->carry_out(run);
  while ((run.standing || run.ready) && !run.may_have_run && !cancel.cancelled()) {
    // It was lost before it had its task: begin as if it had not stood ready.
    const bool has_stood = run.standing.has_value();
    state_->ready_runs.tell_dropped(has_stood ? "standing_runtime" : "prepared_run",
                                    result.error.value_or(""));
    run.standing.reset();
    run.ready.reset();
    begin_anew(result);
    if (has_stood) state_->take_prepared(run);
    co_await state_->carry_out(run);
  }
  bool has_started = run.has_started;
  if (!missing_directory && !cancel.cancelled()) {
    missing_directory = give_way_to_scratch(request, result);
    if (missing_directory) {
      begin_anew(result);
      ActiveRun in_scratch{request, policy, observer, cancel, result};
      in_scratch.runtime = run.runtime;
      co_await state_->carry_out(in_scratch);
      has_started = in_scratch.has_started;
    }
  }
  if (missing_directory && has_started) report_directory(result, *missing_directory);
  co_return state_->told(result);
}

asio::awaitable<Result<ModuleRuntime>> Runner::find_module_runtime() {
  auto found = co_await state_->runtimes.find();
  co_return found;
}

std::optional<std::string> Runner::reason_against_modules() const {
  return state_->runtimes.reason_against();
}

std::size_t Runner::count_standing() const {
  return state_->ready_runs.count_standing();
}

std::size_t Runner::count_prepared() const {
  return state_->ready_runs.count_prepared();
}

ByteCount Runner::prepared_memory_taken() const {
  return state_->ready_runs.memory_taken();
}

void Runner::on_dropped(Dropped dropped) {
  state_->ready_runs.on_dropped(std::move(dropped));
}

}  // namespace satellite::sandbox
