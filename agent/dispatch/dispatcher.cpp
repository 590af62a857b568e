#include "agent/dispatch/dispatcher.hpp"

#include "agent/config/sandbox_settings.hpp"
#include "agent/dispatch/run_log.hpp"
#include "agent/dispatch/run_translation.hpp"
#include "protocol/encode.hpp"
#include "protocol/vocabulary/limits.hpp"
#include "protocol/wire_words.hpp"
#include "sandbox/report/outcome.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;
using namespace satellite::byte_literals;

// Shared between the table of runs and the run's own coroutine: a run that ends while the table is
// being walked must not take its cancel switch away from under the walker.
struct Dispatcher::ActiveRun {
  ActiveRun(asio::io_context& context, sandbox::RunRequest request_, protocol::ScriptKind kind_)
      : request(std::move(request_)), kind(kind_), cancel(context), changed(context) {}
  sandbox::RunRequest request;
  protocol::ScriptKind kind;
  sandbox::CancelSwitch cancel;
  Notification changed;
  bool is_journalled = false;
};

/// The slot of a run that has started; given back however the run ends.
class Dispatcher::RunSlot {
 public:
  RunSlot(Dispatcher& dispatcher, RunId id) : dispatcher_(dispatcher), id_(std::move(id)) {}
  ~RunSlot() {
    dispatcher_.runs_.erase(id_);
    dispatcher_.admission_.finished();
  }
  RunSlot(const RunSlot&) = delete;
  RunSlot& operator=(const RunSlot&) = delete;

 private:
  Dispatcher& dispatcher_;
  RunId id_;
};

namespace {

Priority priority_of(protocol::ScriptPriority priority) {
  switch (priority) {
    case protocol::ScriptPriority::high:
      return Priority::high;
    case protocol::ScriptPriority::normal:
      return Priority::normal;
    case protocol::ScriptPriority::low:
      return Priority::low;
  }
  return Priority::normal;
}

protocol::RejectionCode wire_code(RejectionCode code) {
  switch (code) {
    case RejectionCode::queue_full:
      return protocol::RejectionCode::queue_full;
    case RejectionCode::expired:
      return protocol::RejectionCode::expired;
    case RejectionCode::shutting_down:
      return protocol::RejectionCode::shutting_down;
  }
  return protocol::RejectionCode::invalid;
}

const char* rejection_text(RejectionCode code) {
  switch (code) {
    case RejectionCode::queue_full:
      return "every place and the whole queue are taken";
    case RejectionCode::expired:
      return "startBefore has passed";
    case RejectionCode::shutting_down:
      return "the satellite is stopping";
  }
  return "";
}

// What comes while the disk has not told yet which runs it knows.
constexpr std::size_t early_max = 1'024;
constexpr std::uint64_t forget_every = 256;

/// The core's moment on a clock that nobody can set: a step of this host's clock while the run
/// waits neither ends it nor keeps it.
std::optional<std::chrono::steady_clock::time_point> steady_moment(
    const std::optional<std::chrono::system_clock::time_point>& moment) {
  if (!moment) return std::nullopt;
  const auto steady = std::chrono::steady_clock::now();
  // Years away is as good as never, and does not overflow.
  constexpr std::chrono::hours far{24 * 366};
  const auto left = *moment - std::chrono::system_clock::now();
  return steady + std::clamp<std::chrono::system_clock::duration>(left, -far, far);
}

bool permitted(const Config& config, protocol::ScriptKind kind) {
  return kind == protocol::ScriptKind::automation ? config.allow_automation
                                                  : config.allow_health_checks;
}

/// What a run may leave in its stream while the core is away: all that its policy lets it say.
protocol::RunStreamBounds bounds_for(const sandbox::Policy& policy) {
  protocol::RunStreamBounds bounds;
  const auto& cap = policy.resources.max_output_bytes;
  if (policy.enabled && cap && ByteCount{*cap} < bounds.kept_while_away_max) {
    // Beside the bytes every kept message costs its own size.
    bounds.kept_while_away_max = ByteCount{*cap} + 1_MiB;
  }
  return bounds;
}

}  // namespace

Dispatcher::Dispatcher(RunServices services, Execute execute)
    : services_(services),
      execute_(execute),
      admission_({services.config.concurrency, services.config.queue_length}),
      tasks_(services.context, [&log = services.log](std::exception_ptr failure) {
        try {
          std::rethrow_exception(failure);
        } catch (const std::exception& problem) {
          log.error("run_lost", problem.what());
        }
      }) {
  services_.store.listen({[this](const StoreSnapshot& snapshot) { restore(snapshot); },
                          [this](StoreFault fault, const std::string&) {
                            take_early();
                            if (fault == StoreFault::hanging) go_on_without_disk();
                          }});
}

template <typename One>
bool Dispatcher::is_too_early(One& message) {
  // A disk that hangs from the start may know ids; one that fails will not tell them.
  const StoreFault fault = services_.store.fault();
  const bool may_tell = fault == StoreFault::opening || fault == StoreFault::hanging;
  if (restored_ || !may_tell) return false;
  if (early_.size() < early_max) early_.emplace_back(std::move(message));
  return true;
}

void Dispatcher::take_early() {
  for (Message& message : std::exchange(early_, {})) {
    std::visit([this](auto& one) { receive(std::move(one)); }, message);
  }
}

void Dispatcher::restore(const StoreSnapshot& snapshot) {
  const auto now = std::chrono::steady_clock::now();
  const std::int64_t wall = time_.now();
  for (const StoredRun& run : snapshot.runs) {
    if (runs_.count(run.id) == 1) continue;
    const bool is_known = journal_.find(run.id).has_value();
    const auto age = std::chrono::seconds(std::max<std::int64_t>(0, wall - run.accepted_at));
    journal_.remember(run.id, now - age);
    if (run.delivered) continue;
    if (restored_ && is_known) {
      // Delivered while nothing could be written, unless its stream says otherwise.
      if (services_.outbox.find(run.id) == nullptr && !services_.outbox.is_parked(run.id)) {
        services_.store.write(DeliverRun{run.id, run.accepted_at});
      }
      continue;
    }
    run.finished ? services_.outbox.park(run.id) : interrupt(run);
  }
  restored_ = true;
  forget_old_runs();
}

void Dispatcher::interrupt(const StoredRun& run) {
  sandbox::RunResult result;
  result.outcome = sandbox::Outcome::interrupted;
  result.error = "the satellite ended before the run; what it had not sent or written is lost";
  result.started_at = std::chrono::system_clock::time_point(std::chrono::seconds(run.accepted_at));
  result.sandbox.requested = policy_in_force();
  note_end(run.id, result);
  auto message = finished_message_from(result, std::nullopt);
  message.run_id = run.id;
  // Higher than anything that may have been sent.
  message.seq = run.seq_bound;
  services_.store.write(FinishRun{run.id, message.seq, protocol::encode(message)});
  services_.outbox.park(run.id);
}

void Dispatcher::forget_old_runs() {
  constexpr std::chrono::seconds kept_for = limits::run_ids_kept_for;
  services_.store.write(ForgetRuns{time_.now() - kept_for.count(), limits::run_ids_kept_max});
}

Dispatcher::~Dispatcher() = default;

sandbox::Policy Dispatcher::policy_in_force() const {
  return policy_for_run(services_.policies.resolve(), services_.config).policy;
}

void Dispatcher::note_end(const RunId& id, const sandbox::RunResult& result,
                          std::optional<std::chrono::microseconds> setup) {
  log_run_end(services_.log, id.text, result);
  services_.statistics.ended(RunOrigin::dispatched, id.text, result, setup);
}

void Dispatcher::reject(const RunId& id, protocol::RejectionCode code, const std::string& message) {
  services_.statistics.rejected(protocol::name_of(code));
  services_.log.warn("script_rejected", message,
                     {{"run", id.text}, {"code", protocol::name_of(code)}});
  services_.outbox.push(protocol::ScriptRejected{id, code, message});
}

void Dispatcher::receive(protocol::RejectedRunScript message) {
  if (is_too_early(message)) return;
  if (journal_.find(message.run_id)) return answer_status(message.run_id);
  reject(message.run_id, message.code, message.message);
}

void Dispatcher::receive(protocol::RunScript message) {
  if (is_too_early(message)) return;
  const RunId id = message.run_id;
  if (journal_.find(id)) {
    services_.log.info("script_repeated", "this run is known and is not executed again",
                       {{"run", id.text}});
    answer_status(id);
    return services_.outbox.send_again(id);
  }
  const protocol::ScriptKind kind = message.kind;
  if (!permitted(services_.config, kind)) {
    return reject(id, protocol::RejectionCode::forbidden,
                  "the operator of this host forbids scripts of kind " +
                      std::string(protocol::name_of(kind)) +
                      (kind == protocol::ScriptKind::automation ? " (operator.automation)"
                                                                : " (operator.health_checks)"));
  }
  if (message.language == protocol::ScriptLanguage::module) {
    if (const auto why = services_.runner.reason_against_modules()) {
      return reject(id, protocol::RejectionCode::invalid, "no JavaScript runtime: " + *why);
    }
  }
  const AdmissionRequest request{id, priority_of(message.priority),
                                 steady_moment(message.start_before)};
  auto run_request = run_request_from(std::move(message));
  if (!run_request) {
    return reject(id, protocol::RejectionCode::invalid, run_request.error().message);
  }
  hold_timeout(*run_request, services_.config);
  end_expired();
  const Admission admission = admission_.admit(request, std::chrono::steady_clock::now());
  if (const auto* code = std::get_if<RejectionCode>(&admission)) {
    return reject(id, wire_code(*code), rejection_text(*code));
  }
  journal_.accept(id, std::chrono::steady_clock::now());
  runs_.emplace(id, std::make_shared<ActiveRun>(services_.context, *std::move(run_request), kind));
  const std::size_t position = std::get<Admitted>(admission).position;
  services_.store.write(AcceptRun{id, time_.now(), 0},
                        [this, id, position](bool) { journalled(id, position); });
  services_.outbox.open(id, bounds_for(policy_in_force()));
  if (++accepted_ % forget_every == 0) forget_old_runs();
  start_what_fits();
}

/// It would have them wait for ever. As with a disk that fails, their ids live in memory.
void Dispatcher::go_on_without_disk() {
  for (const auto& [id, run] : runs_) {
    if (!run->is_journalled) journalled(id, admission_.position_of(id).value_or(0));
  }
}

void Dispatcher::journalled(const RunId& id, std::uint64_t position) {
  const auto run = runs_.find(id);
  if (run != runs_.end() && run->second->is_journalled) return;
  services_.log.debug("script_accepted", "", {{"run", id.text}, {"position", position}});
  // The journal has it: a core that misses this learns it from the start of the run, or by asking.
  services_.outbox.push_once(protocol::ScriptAccepted{id, position});
  if (run == runs_.end()) return;
  run->second->is_journalled = true;
  run->second->changed.notify_all();
}

void Dispatcher::receive(protocol::CancelScript message) {
  if (is_too_early(message)) return;
  const auto found = runs_.find(message.run_id);
  // Unknown or ended: there is nothing left to cancel, and the core hears what is known.
  if (found == runs_.end()) return answer_status(message.run_id);
  services_.log.info("script_cancelled", message.reason, {{"run", message.run_id.text}});
  if (admission_.withdraw(message.run_id)) {
    return end_unstarted(message.run_id, sandbox::Outcome::cancelled,
                         "cancelled before it started");
  }
  found->second->cancel.cancel();
}

void Dispatcher::receive(protocol::QueryScript message) {
  if (is_too_early(message)) return;
  answer_status(message.run_id);
}

void Dispatcher::receive(protocol::ScriptAck message) {
  if (is_too_early(message)) return;
  const auto acknowledged = services_.outbox.acknowledge(message.run_id, message.seq);
  if (acknowledged || acknowledged.error().code == ErrorCode::not_found) return;
  services_.log.warn("ack_ignored", acknowledged.error().message, {{"run", message.run_id.text}});
}

void Dispatcher::answer_status(const RunId& id) {
  protocol::ScriptStatus status;
  status.run_id = id;
  if (const auto entry = journal_.find(id)) {
    switch (entry->state) {
      case JournalState::queued:
        status.state = protocol::ScriptState::queued;
        break;
      case JournalState::running:
        status.state = protocol::ScriptState::running;
        break;
      case JournalState::finished:
        status.state = protocol::ScriptState::finished;
        break;
    }
    if (!entry->finished_frame.empty()) status.finished_json = entry->finished_frame;
    if (entry->state == JournalState::finished && entry->finished_frame.empty()) {
      return services_.store.read_run(
          id, [&outbox = services_.outbox, status](StoredRunStream stored) mutable {
            if (!stored.finished_frame.empty()) {
              status.finished_json = std::move(stored.finished_frame);
            }
            outbox.push(status);
          });
    }
  }
  services_.outbox.push(status);
}

void Dispatcher::start_what_fits() {
  end_expired();
  while (const auto id = admission_.next_to_start()) {
    const auto run = runs_.at(*id);
    const auto started = tasks_.start(this->run(run));
    if (started) continue;
    admission_.finished();
    end_unstarted(*id, sandbox::Outcome::interrupted, "the satellite is stopping");
  }
}

void Dispatcher::end_expired() {
  for (const RunId& id : admission_.take_expired(std::chrono::steady_clock::now())) {
    end_unstarted(id, sandbox::Outcome::cancelled, "startBefore passed while it waited");
  }
}

void Dispatcher::end_unstarted(const RunId& id, sandbox::Outcome outcome, const std::string& why) {
  sandbox::RunResult result;
  result.outcome = outcome;
  result.error = why;
  result.started_at = std::chrono::system_clock::now();
  result.sandbox.requested = policy_in_force();
  note_end(id, result);
  if (auto* stream = services_.outbox.find(id)) {
    finish(id, *stream, finished_message_from(result, std::nullopt));
  }
  runs_.erase(id);
}

asio::awaitable<void> Dispatcher::run(std::shared_ptr<ActiveRun> run) {
  const RunId id = run->request.id;
  std::exception_ptr broken;
  {
    const RunSlot slot(*this, id);
    try {
      co_await run_to_its_end(std::move(run));
    } catch (...) {
      broken = std::current_exception();
    }
    if (broken) end_broken(id, broken);
  }
  if (!stopping_) start_what_fits();
}

asio::awaitable<void> Dispatcher::run_to_its_end(std::shared_ptr<ActiveRun> run) {
  const RunId id = run->request.id;
  // A place is held meanwhile: that is a write to the page cache, not a wait for a disk.
  while (!run->is_journalled && !stopping_) {
    co_await run->changed.wait();
  }
  // Settings may have been read again while it waited.
  if (!permitted(services_.config, run->kind)) {
    end_unstarted(id, sandbox::Outcome::refused, "the operator of this host forbids it by now");
    co_return;
  }
  hold_timeout(run->request, services_.config);
  journal_.running(id);
  protocol::RunStream& stream = *services_.outbox.find(id);
  RunPipelineDependencies pipeline{services_.runner, services_.outbox, services_.packages, stream,
                                   run->cancel};
  RunPipelineInput input{std::move(run->request),
                         policy_for_run(services_.policies.resolve(), services_.config),
                         run->kind == protocol::ScriptKind::automation};
  auto end = co_await execute_(pipeline, std::move(input));
  if (stopping_ && end.result.outcome == sandbox::Outcome::cancelled) {
    // The core did not cancel this run: the stopping agent did, and the outcome says so.
    end.result.outcome = sandbox::Outcome::interrupted;
    end.message.outcome = std::string(sandbox::name_of(end.result.outcome));
    end.message.error = "the satellite was stopped";
  }
  note_end(id, end.result, end.setup);
  finish(id, stream, std::move(end.message));
}

void Dispatcher::end_broken(const RunId& id, const std::exception_ptr& broken) {
  std::string what = "unknown";
  try {
    std::rethrow_exception(broken);
  } catch (const std::exception& problem) {
    what = problem.what();
  } catch (...) {
  }
  services_.log.error("run_lost", what, {{"run", id.text}});
  protocol::RunStream* const stream = services_.outbox.find(id);
  if (stream == nullptr || stream->ended()) return;
  sandbox::RunResult result;
  // Without a `script_started` the core must not assume that anything ran.
  const bool has_started = stream->next_seq() > 0;
  result.outcome = has_started ? sandbox::Outcome::interrupted : sandbox::Outcome::setup_failed;
  result.error = "internal error of the satellite; its log says more";
  result.started_at = std::chrono::system_clock::now();
  result.sandbox.requested = policy_in_force();
  note_end(id, result);
  finish(id, *stream, finished_message_from(result, std::nullopt));
}

void Dispatcher::finish(const RunId& id, protocol::RunStream& stream,
                        protocol::ScriptFinished message) {
  message.run_id = id;
  message.seq = stream.next_seq();
  std::string frame = protocol::encode(message);
  journal_.finished(id);
  if (services_.store.fault() != StoreFault::none) journal_.keep_frame(id, frame);
  stream.finished(std::move(message));
  services_.outbox.stream_finished(id, std::move(frame));
}

void Dispatcher::admit_no_more() {
  admission_.shut_down();
  std::vector<RunId> waiting;
  for (const auto& [id, run] : runs_) {
    if (admission_.position_of(id)) waiting.push_back(id);
  }
  for (const RunId& id : waiting) {
    admission_.withdraw(id);
    end_unstarted(id, sandbox::Outcome::interrupted, "the satellite was stopped");
  }
}

asio::awaitable<void> Dispatcher::stop() {
  stopping_ = true;
  admit_no_more();
  for (const auto& [id, run] : runs_) {
    run->cancel.cancel();
    run->changed.notify_all();
  }
  services_.outbox.drain();
  co_await tasks_.drained();
}

}  // namespace satellite::agent
