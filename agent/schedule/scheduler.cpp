#include "agent/schedule/scheduler.hpp"

#include "agent/checks/check_result.hpp"
#include "agent/schedule/expand_runs.hpp"
#include "protocol/wire_words.hpp"

#include <algorithm>
#include <bit>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <utility>

namespace satellite::agent {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

/// A set on its way into the timetable.
struct Scheduler::Intake {
  explicit Intake(std::vector<protocol::Assignment> accepted_) : accepted(std::move(accepted_)) {}

  std::vector<protocol::Assignment> accepted;
  std::size_t position = 0;
  Clock::time_point begun = Clock::now();
  std::size_t checks_before = 0, added = 0, changed = 0, refused = 0;
  std::size_t runs_stopped = 0, rejected = 0;
};

/// What of a set cannot run, on its way to the core.
struct Scheduler::Rejections {
  std::vector<protocol::RejectedAssignment> assignments;
  std::size_t position = 0;
  std::unordered_set<std::string> reported;  ///< keys and reasons of this set
};

/// A check under way. Shared between the table of checks and the check's own coroutine, because
/// code that walks the table may end checks.
struct Scheduler::ActiveCheck {
  ActiveCheck(asio::io_context& context, Timetable::Start start_)
      : start(std::move(start_)), control(context) {}
  Timetable::Start start;
  CheckControl control;
};

namespace {

// So short that nothing else notices, even if it has to wait for two slices in a row.
constexpr std::chrono::milliseconds slice_max{1};
constexpr std::size_t forgotten_at_a_time = 64;
constexpr std::size_t freed_at_a_time = 256;
constexpr std::size_t starts_at_a_time = 4;
// Waiting for secrets takes a run's place but no script's; so there are more of the former.
constexpr std::size_t runs_per_script = 4;
// Where a whole set is wrong, the first complaints say enough.
constexpr std::size_t complaints_max = 20;
// A rejected assignment is reported for its first environments: the others say the same.
constexpr std::size_t environments_reported_max = 16;
// As many as there may be checks that run.
constexpr std::size_t rejections_reported_max = 50'000;
// A connection empties the outbox in less; where there is none, looking costs nothing.
constexpr std::chrono::milliseconds look_for_room_every{250};

Timetable::Settings timetable_settings(const Config& config) {
  Timetable::Settings settings;
  settings.runs_at_a_time = config.check_concurrency * runs_per_script;
  settings.run_deadline = config.check_deadline;
  settings.first_run_within = config.check_first_run_within;
  settings.salt = config.client_id;
  return settings;
}

}  // namespace

Scheduler::Scheduler(RunServices services, SecretFetch& secrets)
    : services_(services),
      timetable_(timetable_settings(services.config)),
      slots_(services.context, services.config.check_concurrency),
      secrets_(secrets),
      alarm_(services.context),
      tasks_(services.context, [&log = services.log](std::exception_ptr failure) {
        try {
          std::rethrow_exception(failure);
        } catch (const std::exception& problem) {
          log.error("check_lost", problem.what());
        }
      }) {}

Scheduler::~Scheduler() = default;

void Scheduler::receive(protocol::AssignmentSet assignments) {
  report_invalid_assignments(assignments);
  begin_rejections(std::move(assignments.rejected));
  intake_ = std::make_unique<Intake>(std::move(assignments.accepted));
  intake_->rejected = rejections_->assignments.size();
  intake_->checks_before = timetable_.checks();
  timetable_.begin_set();
  wake();
}

void Scheduler::report_invalid_assignments(const protocol::AssignmentSet& assignments) {
  std::size_t logged = 0;
  for (const auto& rejected : assignments.rejected) {
    if (++logged > complaints_max) break;
    services_.log.warn("assignment_invalid", rejected.why, {{"index", rejected.index}});
    services_.outbox.push(protocol::StrategyError{
        rejected.strategy_id, "assignment rejected by the satellite: " + rejected.why});
  }
  if (assignments.rejected.size() > complaints_max) {
    services_.log.warn("assignments_invalid", "only the first are told one by one",
                       {{"rejected", assignments.rejected.size()}});
  }
}

/// The core may lack one that was reported, if the outbox dropped messages since.
void Scheduler::begin_rejections(std::vector<protocol::RejectedAssignment> rejected) {
  if (rejections_) rejected_.merge(rejections_->reported);
  const std::size_t dropped = services_.outbox.dropped_messages();
  // Of sets that follow each other faster than they can be reported, keys would pile up.
  if (dropped != dropped_before_ || rejected_.size() > rejections_reported_max) rejected_.clear();
  dropped_before_ = dropped;
  rejections_ = std::make_unique<Rejections>();
  rejections_->assignments = std::move(rejected);
}

/// Only while the outbox has room, so that no result of a run is dropped for it. True while there
/// is more to do at once.
bool Scheduler::report_rejections() {
  if (!rejections_) return false;
  const auto end = Clock::now() + slice_max;
  auto& assignments = rejections_->assignments;
  while (rejections_->position < assignments.size()) {
    if (!services_.outbox.has_ample_room()) return false;
    const auto rejected = std::move(assignments[rejections_->position++]);
    report_rejected(rejected);
    if (Clock::now() >= end) return true;
  }
  rejected_ = std::move(rejections_->reported);
  rejections_.reset();
  return false;
}

void Scheduler::report_rejected(const protocol::RejectedAssignment& rejected) {
  if (rejected.config_id.empty() || rejected.system_id.empty()) return;
  const auto& ids = rejected.environment_ids;
  const std::size_t count = std::min(ids.size(), environments_reported_max);
  std::vector<std::optional<std::string>> environments(
      ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
  if (environments.empty()) environments.emplace_back();
  for (auto& environment : environments) {
    if (rejections_->reported.size() >= rejections_reported_max) return;
    std::string key = rejected.config_id + '\0' + rejected.system_id + '\0' +
                      environment.value_or("-") + '\0' + rejected.why;
    const bool is_reported = rejected_.count(key) == 1;
    if (!rejections_->reported.insert(std::move(key)).second || is_reported) continue;
    ResultIdentity identity{ConfigId(rejected.config_id), SystemId(rejected.system_id),
                            std::move(environment), std::chrono::system_clock::now()};
    services_.outbox.push(result_without_run(
        std::move(identity), "Error: assignment rejected by the satellite: " + rejected.why));
  }
}

void Scheduler::offer(protocol::Assignment assignment) {
  const auto shared = std::make_shared<const protocol::Assignment>(std::move(assignment));
  const auto now = Clock::now();
  for (PlannedRun& run : expand_runs(shared)) {
    switch (timetable_.offer(std::move(run), now)) {
      case Timetable::Offer::added:
        ++intake_->added;
        break;
      case Timetable::Offer::changed:
        ++intake_->changed;
        break;
      case Timetable::Offer::refused:
        if (++intake_->refused > 1) break;
        services_.outbox.push(protocol::StrategyError{
            shared->strategy_id, "more checks than this satellite takes; the rest does not run"});
        break;
      case Timetable::Offer::kept:
      case Timetable::Offer::repeated:
        break;
    }
  }
}

/// True while there is more of the set to take.
bool Scheduler::apply_slice() {
  if (!intake_) return false;
  const auto end = Clock::now() + slice_max;
  auto& accepted = intake_->accepted;
  while (intake_->position < accepted.size()) {
    offer(std::move(accepted[intake_->position++]));
    if (Clock::now() >= end) return true;
  }
  for (bool done = false; !done;) {
    std::vector<std::uint64_t> to_stop;
    done = timetable_.end_set(forgotten_at_a_time, to_stop);
    intake_->runs_stopped += to_stop.size();
    stop_runs(to_stop);
    if (!done && Clock::now() >= end) return true;
  }
  // What is left of the set goes in pieces, too: its destructors are thousands.
  while (!accepted.empty()) {
    const auto size = static_cast<std::ptrdiff_t>(std::min(freed_at_a_time, accepted.size()));
    accepted.erase(accepted.end() - size, accepted.end());
    if (Clock::now() >= end) return true;
  }
  log_set_applied();
  services_.states.collect([this](const std::string& check) { return timetable_.holds(check); });
  // Keys of removed checks would stay for ever. The price of clearing: a state is logged once more.
  if (unhealthy_.size() > timetable_.checks()) unhealthy_.clear();
  intake_.reset();
  return false;
}

void Scheduler::log_set_applied() {
  const Intake& intake = *intake_;
  const std::size_t checks = timetable_.checks();
  const std::size_t removed = intake.checks_before + intake.added - checks;
  const auto took = std::chrono::round<std::chrono::milliseconds>(Clock::now() - intake.begun);
  if (intake.refused > 0) {
    services_.log.error("checks_refused",
                        "more checks than this satellite takes; the rest does not run",
                        {{"refused", intake.refused}, {"checks", checks}});
  }
  services_.log.info("assignments_taken", "",
                     {{"checks", checks},
                      {"added", intake.added},
                      {"changed", intake.changed},
                      {"removed", removed},
                      {"runs_stopped", intake.runs_stopped},
                      {"rejected", intake.rejected},
                      {"took", took}});
}

asio::awaitable<void> Scheduler::run() {
  constexpr auto without_throwing = asio::as_tuple(asio::use_awaitable);
  while (!stopping_) {
    bool more = apply_slice();
    more = report_rejections() || more;
    auto starts = timetable_.start_due(Clock::now(), starts_at_a_time);
    more = more || starts.size() == starts_at_a_time;
    for (auto& start : starts) start_run(std::move(start));
    stop_overdue();
    if (more) {
      // Everything else that is ready runs first.
      co_await asio::post(services_.context, asio::use_awaitable);
      continue;
    }
    auto next = timetable_.next_event().value_or(Clock::time_point::max());
    if (rejections_) next = std::min(next, Clock::now() + look_for_room_every);
    alarm_.expires_at(next);
    co_await alarm_.async_wait(without_throwing);
  }
}

void Scheduler::start_run(Timetable::Start start) {
  const auto active = std::make_shared<ActiveCheck>(services_.context, std::move(start));
  active_.emplace(active->start.run, active);
  const auto started = tasks_.start(run_check(active));
  if (started) return;
  active_.erase(active->start.run);
  timetable_.finished(active->start.run, Clock::now());
}

asio::awaitable<void> Scheduler::run_check(std::shared_ptr<ActiveCheck> active) {
  const CheckServices check_services{services_, secrets_, slots_};
  CheckInput input{active->start.plan.assignment, active->start.plan.environment_id,
                   active->control};
  std::exception_ptr broken;
  try {
    auto end = co_await execute_check(check_services, std::move(input));
    report(*active, std::move(end));
  } catch (...) {
    // The check must be free for its next run all the same.
    broken = std::current_exception();
  }
  if (broken) report_broken(*active);
  active_.erase(active->start.run);
  timetable_.finished(active->start.run, Clock::now());
  wake();
  if (broken) std::rethrow_exception(broken);
}

/// A mistake of ours is no reason to say nothing of the check; what it was stands in the log.
void Scheduler::report_broken(const ActiveCheck& active) {
  const protocol::Assignment& assignment = *active.start.plan.assignment;
  ResultIdentity identity{assignment.config_id, assignment.system_id,
                          active.start.plan.environment_id, std::chrono::system_clock::now()};
  const std::string text = "Error: internal error of the satellite; see its log";
  try {
    report(active,
           {CheckOutcome::Kind::reported, result_without_run(std::move(identity), text), text});
  } catch (const std::exception& problem) {
    services_.log.error("check_lost", problem.what());
  }
}

void Scheduler::report(const ActiveCheck& active, CheckOutcome end) {
  const protocol::Assignment& assignment = *active.start.plan.assignment;
  const std::string& environment = active.start.plan.environment_id.value_or("");
  if (end.kind == CheckOutcome::Kind::skipped) {
    ++skipped_;
    // The 1st, 2nd, 4th, 8th …: an absent core must not fill the log.
    if (std::has_single_bit(skipped_)) {
      services_.log.warn("check_skipped", end.message,
                         {{"check", assignment.config_id.text},
                          {"system", assignment.system_id.text},
                          {"environment", environment},
                          {"skipped", skipped_}});
    }
    return;
  }
  if (end.kind == CheckOutcome::Kind::stopped || !end.result) return;
  if (services_.log.writes(LogLevel::debug)) {
    services_.log.debug("check_finished", end.message,
                        {{"check", assignment.config_id.text},
                         {"system", assignment.system_id.text},
                         {"environment", environment},
                         {"status", protocol::name_of(end.result->status)},
                         {"took", end.result->latency.value_or(std::chrono::milliseconds(0))},
                         {"coalesced", active.start.coalesced}});
  }
  note_status(active.start.plan.key, end);
  const std::size_t dropped_before = services_.outbox.dropped_messages();
  services_.outbox.push(*std::move(end.result));
  const std::size_t dropped = services_.outbox.dropped_messages();
  if (dropped > dropped_before && std::bit_width(dropped) > std::bit_width(dropped_before)) {
    services_.log.error("results_dropped", "too many wait for the core; the oldest were given up",
                        {{"dropped", dropped}});
  }
}

/// A refused or failed set-up is this host's trouble, an unhealthy check may be none.
void Scheduler::note_status(const std::string& key, const CheckOutcome& end) {
  const protocol::CheckResult& result = *end.result;
  const bool healthy = result.status == protocol::HealthStatus::healthy;
  const bool changed = healthy ? unhealthy_.erase(key) == 1 : unhealthy_.insert(key).second;
  if (!changed) return;
  const auto log_at = !healthy && end.never_ran ? &Log::warn : &Log::info;
  (services_.log.*log_at)(healthy ? "check_recovered" : "check_unhealthy", end.message,
                          {{"check", result.config_id.text},
                           {"system", result.system_id.text},
                           {"environment", result.environment_id.value_or("")}});
}

void Scheduler::stop_runs(const std::vector<std::uint64_t>& runs) {
  for (const std::uint64_t run : runs) {
    const auto found = active_.find(run);
    if (found != active_.end()) found->second->control.cancel.cancel();
  }
}

void Scheduler::stop_overdue() {
  for (const std::uint64_t run : timetable_.take_overdue(Clock::now())) {
    const auto found = active_.find(run);
    if (found == active_.end()) continue;
    CheckControl& control = found->second->control;
    if (!control.cancel.cancelled()) control.deadline_passed = true;
    services_.log.warn("check_overdue", "the check did not end in time and is stopped",
                       {{"check", found->second->start.plan.assignment->config_id.text}});
    control.cancel.cancel();
  }
}

void Scheduler::wake() {
  alarm_.cancel();
}

void Scheduler::start_no_more() {
  stopping_ = true;
  wake();
}

asio::awaitable<void> Scheduler::stop() {
  start_no_more();
  for (const auto& [run, active] : active_) active->control.cancel.cancel();
  co_await tasks_.drained();
}

}  // namespace satellite::agent
