// A day of five thousand checks against an independent bookkeeper: it knows only when each run was
// started and what the timetable said about it, and recomputes the ticks by itself.
#include "agent/schedule/timetable.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <queue>
#include <random>

using namespace satellite::agent;
using namespace std::chrono_literals;
using Time = Timetable::Time;

namespace {

constexpr std::size_t check_count = 5'000;
constexpr std::size_t places = 32;
constexpr auto day = 24h;

struct Known {
  std::chrono::nanoseconds interval{0};
  std::uint64_t fingerprint = 1;
  bool wanted = true, running = false, always_slow = false;
  bool changed = true;                            ///< the next start may come out of turn
  std::optional<Time> last_start;                 ///< ticks are accounted for until then
  std::optional<std::chrono::nanoseconds> phase;  ///< as seen in the first regular run
};

class Day {
 public:
  explicit Day(unsigned seed) : random_(seed), table_(settings()), checks_(check_count) {
    for (std::size_t i = 0; i < check_count; ++i) {
      const auto dice = roll(100);
      checks_[i].interval = dice < 2 ? 60s : dice < 20 ? 300s : dice < 60 ? 900s : 3600s;
      checks_[i].always_slow = i % 500 == 0;
    }
  }

  void live() {
    const Time end = now_ + day;
    push();
    Time next_push = now_ + 10min;
    Time next_suspend = now_ + 3h;
    while (now_ < end) {
      Time next = std::min(next_push, end);
      if (!ends_.empty()) next = std::min(next, ends_.top().first);
      if (const auto event = table_.next_event()) next = std::min(next, *event);
      now_ = std::max(now_, next);
      while (!ends_.empty() && ends_.top().first <= now_) finish();
      for (const auto& start : table_.start_due(now_, 16)) begin(start);
      if (now_ >= next_push) {
        if (roll(3) != 0) change_some();  // every third one is the same set: a reconnect
        push();
        next_push = now_ + std::chrono::seconds(60 + roll(1'800));
      }
      if (now_ >= next_suspend) {
        now_ += std::chrono::seconds(60 + roll(3'600));
        next_suspend = now_ + 4h;
      }
    }
  }

  std::uint64_t runs = 0, coalesced = 0, out_of_turn = 0, violations = 0, at_once_max = 0;
  std::string first_violation;

 private:
  static Timetable::Settings settings() {
    Timetable::Settings made;
    made.runs_at_a_time = places;
    return made;
  }

  std::uint32_t roll(std::uint32_t sides) { return static_cast<std::uint32_t>(random_() % sides); }

  void expect(bool holds, const std::string& rule, std::size_t index) {
    if (holds) return;
    if (++violations == 1) first_violation = rule + ", check " + std::to_string(index);
  }

  void push() {
    table_.begin_set();
    for (std::size_t i = 0; i < check_count; ++i) {
      if (!checks_[i].wanted) continue;
      PlannedRun run;
      run.key = std::to_string(i);
      run.interval = checks_[i].interval;
      run.fingerprint = checks_[i].fingerprint;
      table_.offer(std::move(run), now_);
    }
    std::vector<std::uint64_t> to_stop;
    while (!table_.end_set(100, to_stop)) {
    }
    // Stopping a script takes its time.
    for (const std::uint64_t run : to_stop) ends_.push({now_ + 2s, run});
  }

  void change_some() {
    for (int i = 0; i < 50; ++i) {
      Known& check = checks_[roll(check_count)];
      check.changed = true;
      const auto kind = roll(3);
      if (kind == 0) {
        ++check.fingerprint;
      } else if (kind == 1) {
        check.interval = check.interval == 900s ? 600s : 900s;
        check.phase.reset();
        check.last_start.reset();
      } else {
        check.wanted = !check.wanted;
        check.last_start.reset();
      }
    }
  }

  void begin(const Timetable::Start& start) {
    const std::size_t index = std::stoul(start.plan.key);
    Known& check = checks_[index];
    ++runs;
    coalesced += start.coalesced;
    expect(!check.running, "overlaps itself", index);
    expect(check.wanted, "was removed", index);
    expect(start.plan.fingerprint == check.fingerprint, "runs what is no longer wanted", index);
    expect(start.due <= now_, "starts before its time", index);
    if (check.changed) {
      ++out_of_turn;
    } else {
      expect_on_grid(check, start, index);
    }
    check.changed = false;
    check.last_start = now_;
    check.running = true;
    by_run_[start.run] = index;
    at_once_max = std::max<std::uint64_t>(at_once_max, by_run_.size());
    const bool is_slow = check.always_slow || roll(5'000) == 0;
    const auto took = is_slow ? std::chrono::milliseconds(60'000 + roll(600'000))
                              : std::chrono::milliseconds(5 + roll(300));
    ends_.push({now_ + took, start.run});
  }

  void expect_on_grid(Known& check, const Timetable::Start& start, std::size_t index) {
    const auto phase = start.due.time_since_epoch() % check.interval;
    if (!check.phase) check.phase = phase;
    expect(phase == *check.phase, "left its phase", index);
    if (!check.last_start) return;
    const auto ticks = [&](Time time) {
      return (time.time_since_epoch() - *check.phase + 1'000 * check.interval) / check.interval;
    };
    const auto passed = ticks(now_) - ticks(*check.last_start);
    expect(passed == static_cast<std::int64_t>(start.coalesced) + 1, "lost or doubled a tick",
           index);
  }

  void finish() {
    const std::uint64_t run = ends_.top().second;
    ends_.pop();
    const auto found = by_run_.find(run);
    if (found == by_run_.end()) return;  // it was stopped before it would have ended
    checks_[found->second].running = false;
    by_run_.erase(found);
    table_.finished(run, now_);
  }

  using End = std::pair<Time, std::uint64_t>;
  std::minstd_rand random_;
  Timetable table_;
  std::vector<Known> checks_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  std::map<std::uint64_t, std::size_t> by_run_;
  Time now_{1'000h};
};

}  // namespace

TEST_CASE("a day of five thousand checks: no burst, no lost or doubled tick, no check twice") {
  const char* const given = std::getenv("SIMULATION_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                         : std::random_device{}();
  INFO("SIMULATION_SEED=" << seed);
  Day simulated(seed);
  simulated.live();
  INFO(simulated.runs << " runs, " << simulated.coalesced << " ticks coalesced, "
                      << simulated.out_of_turn << " out of turn");
  INFO(simulated.first_violation);
  CHECK(simulated.violations == 0);
  CHECK(simulated.at_once_max <= places);
  // The machine was busy, and all that can happen did.
  CHECK(simulated.at_once_max == places);
  CHECK(simulated.runs > 500'000);
  CHECK(simulated.coalesced > 0);
  CHECK(simulated.out_of_turn > check_count);
}
