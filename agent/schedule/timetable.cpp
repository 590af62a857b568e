#include "agent/schedule/timetable.hpp"

#include <algorithm>

namespace satellite::agent {
namespace {

/// FNV-1a with a final mix: the same on every host and in every version, because phases hang on it.
std::uint64_t stable_hash(std::string_view text, std::uint64_t hash = 0xCBF29CE484222325U) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  hash = (hash ^ (hash >> 33U)) * 0xFF51AFD7ED558CCDU;
  return hash ^ (hash >> 33U);
}

std::int64_t floor_divided(std::int64_t value, std::int64_t divisor) {
  const std::int64_t quotient = value / divisor;
  return value % divisor < 0 ? quotient - 1 : quotient;
}

Timetable::Duration part_of(Timetable::Duration whole, double fraction) {
  return Timetable::Duration(
      static_cast<std::int64_t>(static_cast<double>(whole.count()) * fraction));
}

}  // namespace

double Timetable::fraction_of(std::string_view key) const {
  constexpr double scale = 1.0 / 9007199254740992.0;  // 2^-53
  return static_cast<double>(stable_hash(key, stable_hash(settings_.salt)) >> 11U) * scale;
}

void Timetable::set_interval(Check& check, Duration interval) const {
  check.interval = std::clamp(interval, settings_.interval_min, settings_.interval_max);
  check.phase = part_of(check.interval, fraction_of(check.plan.key));
}

/// How many ticks lie at or before `time`; only differences mean anything.
std::int64_t Timetable::ticks_until(const Check& check, Time time) const {
  const Duration since = time.time_since_epoch() - check.phase;
  return floor_divided(since.count(), check.interval.count());
}

Timetable::Time Timetable::tick_after(const Check& check, Time time) const {
  return Time(check.phase + (ticks_until(check, time) + 1) * check.interval);
}

/// Soon, but at a moment of its own, and never twice within the window: a core that changes its
/// mind all the time does not make us run all the time.
Timetable::Time Timetable::soon_for(const Check& check, Time now) const {
  const Duration window = std::min(check.interval, settings_.first_run_within);
  const Time soon = now + part_of(window, fraction_of(check.plan.key));
  return check.last_start ? std::max(soon, *check.last_start + window) : soon;
}

void Timetable::wait_until(Checks::iterator check, Time due) {
  check->due = due;
  waiting_.emplace(std::make_pair(due, check->ordinal), check);
}

void Timetable::stop_waiting(Checks::iterator check) {
  waiting_.erase(std::make_pair(check->due, check->ordinal));
}

Timetable::Offer Timetable::add(PlannedRun run, Time now) {
  if (index_.size() >= settings_.checks_max) return Offer::refused;
  const Duration interval = run.interval;
  Check made;
  made.plan = std::move(run);
  made.ordinal = ++ordinals_;
  made.generation = generation_;
  made.comes_soon = true;
  const auto check = checks_.insert(checks_.end(), std::move(made));
  set_interval(*check, interval);
  index_.emplace(check->plan.key, check);
  wait_until(check, soon_for(*check, now));
  check->served = check->due;
  return Offer::added;
}

Timetable::Offer Timetable::offer(PlannedRun run, Time now) {
  const auto found = index_.find(run.key);
  if (found == index_.end()) return add(std::move(run), now);
  const Checks::iterator check = found->second;
  if (!check->removed && check->generation == generation_) return Offer::repeated;
  check->generation = generation_;
  checks_.splice(checks_.end(), check->removed ? leaving_ : checks_, check);
  return renew(check, std::move(run), now);
}

Timetable::Offer Timetable::renew(Checks::iterator check, PlannedRun run, Time now) {
  const bool returns = std::exchange(check->removed, false);
  const bool other_work = returns || check->plan.fingerprint != run.fingerprint;
  const bool other_interval = check->plan.interval != run.interval;
  if (!other_work && !other_interval) {
    // Equal assignments are kept rather than replaced: what is old is where memory is packed.
    const bool equal =
        check->plan.assignment && run.assignment && *check->plan.assignment == *run.assignment;
    if (!equal) check->plan.assignment = std::move(run.assignment);
    return Offer::kept;
  }
  if (!check->running) stop_waiting(check);
  const bool was_due = !check->running && check->due <= now;
  check->plan.interval = run.interval;
  check->plan.fingerprint = run.fingerprint;
  check->plan.assignment = std::move(run.assignment);
  check->plan.environment_id = std::move(run.environment_id);
  if (other_interval) set_interval(*check, run.interval);
  // The ticks of the old grid end here; what was due already stays due.
  if (other_interval) check->served = now;
  Time due = was_due ? check->due : tick_after(*check, now);
  if (other_work && !was_due) {
    due = std::min(due, soon_for(*check, now));
    check->comes_soon = true;
  }
  if (check->comes_soon && !other_work) due = std::min(due, check->due);
  if (check->running) {
    check->due = due;
  } else {
    wait_until(check, due);
  }
  return returns ? Offer::added : Offer::changed;
}

void Timetable::forget(Checks::iterator check) {
  if (!check->running) {
    stop_waiting(check);
    index_.erase(check->plan.key);
    checks_.erase(check);
    return;
  }
  check->removed = true;
  leaving_.splice(leaving_.end(), checks_, check);
}

bool Timetable::end_set(std::size_t entries_max, std::vector<std::uint64_t>& to_stop) {
  for (std::size_t i = 0; i < entries_max; ++i) {
    if (checks_.empty() || checks_.front().generation == generation_) return true;
    const auto check = checks_.begin();
    for (const auto& [run, running] : running_) {
      if (check->running && running.check == check) to_stop.push_back(run);
    }
    forget(check);
  }
  return false;
}

std::vector<Timetable::Start> Timetable::start_due(Time now, std::size_t starts_max) {
  std::vector<Start> starts;
  while (!waiting_.empty() && running_.size() < settings_.runs_at_a_time &&
         starts.size() < starts_max && waiting_.begin()->first.first <= now) {
    const auto check = waiting_.begin()->second;
    waiting_.erase(waiting_.begin());
    Start start{++runs_, check->plan, check->due, 0};
    // The tick it was due for is served by this run, and so is every later one up to now.
    const std::int64_t passed = ticks_until(*check, now) - ticks_until(*check, check->served);
    const std::int64_t own = check->comes_soon || passed == 0 ? 0 : 1;
    start.coalesced = static_cast<std::uint64_t>(std::max<std::int64_t>(0, passed - own));
    coalesced_ += start.coalesced;
    check->served = now;
    check->last_start = now;
    check->running = true;
    // A run that came out of turn has the next tick half an interval away at least.
    const Time from = check->comes_soon ? std::max(now, start.due + check->interval / 2) : now;
    check->due = tick_after(*check, from);
    check->comes_soon = false;
    running_.emplace(start.run, Running{check, now + settings_.run_deadline});
    starts.push_back(std::move(start));
  }
  return starts;
}

void Timetable::finished(std::uint64_t run, Time now) {
  const auto found = running_.find(run);
  if (found == running_.end()) return;
  const Checks::iterator check = found->second.check;
  running_.erase(found);
  check->running = false;
  if (check->removed) {
    index_.erase(check->plan.key);
    leaving_.erase(check);
    return;
  }
  // Its ticks passed while it ran: running at once would leave a slow check without a pause. They
  // are counted with the next start.
  if (check->due <= now && !check->comes_soon) check->due = tick_after(*check, now);
  wait_until(check, check->due);
}

std::vector<std::uint64_t> Timetable::take_overdue(Time now) {
  std::vector<std::uint64_t> overdue;
  for (auto& [run, running] : running_) {
    if (running.reported || running.deadline > now) continue;
    running.reported = true;
    overdue.push_back(run);
  }
  return overdue;
}

std::optional<Timetable::Time> Timetable::next_event() const {
  std::optional<Time> next;
  if (!waiting_.empty() && running_.size() < settings_.runs_at_a_time) {
    next = waiting_.begin()->first.first;
  }
  for (const auto& [run, running] : running_) {
    if (!running.reported && (!next || running.deadline < *next)) next = running.deadline;
  }
  return next;
}

bool Timetable::holds(std::string_view key) const {
  const auto found = index_.find(key);
  return found != index_.end() && !found->second->removed;
}

}  // namespace satellite::agent
