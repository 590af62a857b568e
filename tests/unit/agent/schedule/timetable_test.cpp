#include "agent/schedule/timetable.hpp"

#include "agent/schedule/expand_runs.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;
using Time = Timetable::Time;
using Offer = Timetable::Offer;

namespace {

Time at(std::chrono::nanoseconds since) {
  return Time(10h + since);
}

PlannedRun check(const std::string& key, std::chrono::nanoseconds interval = 60s,
                 std::uint64_t fingerprint = 1) {
  PlannedRun run;
  run.key = key;
  run.interval = interval;
  run.fingerprint = fingerprint;
  return run;
}

Timetable::Settings settings(std::size_t runs_at_a_time = 8) {
  Timetable::Settings made;
  made.runs_at_a_time = runs_at_a_time;
  made.salt = "satellite-1";
  return made;
}

std::vector<Offer> push(Timetable& table, Time now, std::vector<PlannedRun> runs) {
  std::vector<Offer> offers;
  table.begin_set();
  for (PlannedRun& run : runs) offers.push_back(table.offer(std::move(run), now));
  std::vector<std::uint64_t> ignored;
  while (!table.end_set(1, ignored)) {
  }
  return offers;
}

/// The only run that starts next, at the moment the table asks for.
Timetable::Start next_start(Timetable& table) {
  const auto when = table.next_event();
  REQUIRE(when);
  auto starts = table.start_due(*when, 10);
  REQUIRE(starts.size() == 1);
  CHECK(starts.front().due == *when);
  return starts.front();
}

}  // namespace

TEST_CASE("a new check runs once soon and then on its own grid, at the same phase for ever") {
  Timetable table(settings());
  push(table, at(0s), {check("a", 600s)});
  const auto first = next_start(table);
  CHECK(first.due >= at(0s));
  CHECK(first.due < at(30s));
  table.finished(first.run, first.due + 1s);
  const auto second = next_start(table);
  CHECK(second.due - first.due >= 300s);
  CHECK(second.due - first.due <= 900s);
  table.finished(second.run, second.due + 1s);
  const auto third = next_start(table);
  CHECK(third.due - second.due == 600s);

  Timetable restarted(settings());
  push(restarted, third.due + 1h, {check("a", 600s)});
  const auto again = next_start(restarted);
  restarted.finished(again.run, again.due);
  const auto regular = next_start(restarted);
  CHECK((regular.due - third.due) % 600s == 0ns);
}

TEST_CASE("phases spread evenly over the interval, and differ from satellite to satellite") {
  std::vector<int> slots(10, 0);
  Timetable table(settings(10'000));
  table.begin_set();
  for (int i = 0; i < 1'000; ++i) {
    table.offer(check("check-" + std::to_string(i), 30s), at(0s));
  }
  for (const auto& start : table.start_due(at(1h), 10'000)) {
    ++slots.at(static_cast<std::size_t>((start.due - at(0s)) / 3s));
  }
  for (const int count : slots) {
    CHECK(count > 60);
    CHECK(count < 150);
  }
  auto other = settings();
  other.salt = "satellite-2";
  Timetable mine(settings()), theirs(other);
  push(mine, at(0s), {check("a")});
  push(theirs, at(0s), {check("a")});
  CHECK(mine.next_event() != theirs.next_event());
}

TEST_CASE("the same set pushed again moves nothing, whatever its order") {
  Timetable table(settings());
  push(table, at(0s), {check("a"), check("b")});
  const auto before = table.next_event();
  const auto offers = push(table, at(1ms), {check("b"), check("a")});
  CHECK(offers == std::vector<Offer>{Offer::kept, Offer::kept});
  CHECK(table.next_event() == before);
}

TEST_CASE("changed work runs soon and as changed, but no sooner than a window after the last run") {
  Timetable table(settings());
  push(table, at(0s), {check("a", 1h)});
  const auto first = next_start(table);
  table.finished(first.run, first.due + 1s);
  const auto offers = push(table, at(60s), {check("a", 1h, 2)});
  CHECK(offers == std::vector<Offer>{Offer::changed});
  const auto second = next_start(table);
  CHECK(second.plan.fingerprint == 2);
  CHECK(second.due >= at(60s));
  CHECK(second.due <= at(90s));
  table.finished(second.run, second.due + 1ms);
  push(table, second.due + 2ms, {check("a", 1h, 3)});
  CHECK(next_start(table).due >= second.due + 30s);
}

TEST_CASE("work changed while it runs is run as changed when it has ended, never beside itself") {
  Timetable table(settings());
  push(table, at(0s), {check("a", 1h)});
  const auto first = next_start(table);
  push(table, first.due + 1s, {check("a", 1h, 2)});
  CHECK(table.start_due(first.due + 30min, 10).empty());
  table.finished(first.run, first.due + 30min);
  const auto second = table.start_due(first.due + 30min, 10);
  REQUIRE(second.size() == 1);
  CHECK(second.front().plan.fingerprint == 2);
}

TEST_CASE("a changed interval holds at once") {
  Timetable table(settings());
  push(table, at(0s), {check("a", 24h)});
  const auto first = next_start(table);
  table.finished(first.run, first.due + 1s);
  push(table, at(60s), {check("a", 10s)});
  CHECK(next_start(table).due <= at(70s));
}

TEST_CASE("what a set does not name is forgotten, and its run is told to stop") {
  Timetable table(settings());
  push(table, at(0s), {check("a"), check("b")});
  const auto starts = table.start_due(at(30s), 10);
  REQUIRE(starts.size() == 2);
  table.begin_set();
  table.offer(check("b"), at(31s));
  std::vector<std::uint64_t> to_stop;
  CHECK(table.end_set(10, to_stop));
  CHECK(table.checks() == 1);
  REQUIRE(to_stop.size() == 1);
  const bool first_is_a = starts[0].plan.key == "a";
  CHECK(to_stop.front() == starts[first_is_a ? 0 : 1].run);

  // It comes back while its old run is being ended: the two must not overlap.
  CHECK(push(table, at(32s), {check("a"), check("b")}).front() == Offer::added);
  CHECK(table.start_due(at(10min), 10).empty());
  for (const auto& start : starts) table.finished(start.run, at(10min));
  CHECK(table.start_due(at(20min), 10).size() == 2);
}

TEST_CASE("a slow check misses its ticks, one run stands for all of them, and it gets its pause") {
  Timetable table(settings());
  push(table, at(0s), {check("a", 10s)});
  const auto first = next_start(table);
  const Time end = first.due + 95s;
  CHECK(table.start_due(end, 10).empty());
  table.finished(first.run, end);
  const auto second = next_start(table);
  CHECK(second.due > end);
  CHECK(second.due <= end + 10s);
  CHECK(second.coalesced >= 8);
  CHECK(second.coalesced <= 9);
}

TEST_CASE("after a suspend each check runs once, however many of its ticks passed") {
  Timetable table(settings(100));
  std::vector<PlannedRun> runs;
  for (int i = 0; i < 50; ++i) runs.push_back(check("c" + std::to_string(i), 10s));
  push(table, at(0s), std::move(runs));
  for (const auto& start : table.start_due(at(10s), 100)) table.finished(start.run, at(10s));
  const auto late = table.start_due(at(2h), 100);
  CHECK(late.size() == 50);
  for (const auto& start : late) {
    CHECK(start.coalesced >= 717);
    CHECK(start.coalesced <= 719);
  }
  CHECK(table.start_due(at(2h), 100).empty());
}

TEST_CASE("no more runs than there are places, and the longest overdue goes first") {
  Timetable table(settings(3));
  std::vector<PlannedRun> runs;
  for (int i = 0; i < 20; ++i) runs.push_back(check("c" + std::to_string(i), 1h));
  push(table, at(0s), std::move(runs));
  auto running = table.start_due(at(5min), 100);
  CHECK(running.size() == 3);
  CHECK(table.start_due(at(5min), 100).empty());
  Time last = running.back().due;
  for (int ended = 0; ended < 17; ++ended) {
    table.finished(running[static_cast<std::size_t>(ended)].run, at(5min));
    const auto next = table.start_due(at(5min), 100);
    REQUIRE(next.size() == 1);
    CHECK(next.front().due >= last);
    last = next.front().due;
    running.push_back(next.front());
  }
}

TEST_CASE("intervals are held between a floor and a ceiling, whatever the core sends") {
  const auto seconds = GENERATE(0.0, -5.0, 1e-9, 1e300, 3e9);
  auto assignment = std::make_shared<protocol::Assignment>();
  assignment->interval = std::chrono::duration<double>(seconds);
  assignment->environments_json = "[]";
  Timetable table(settings());
  push(table, at(0s), expand_runs(assignment));
  const auto first = next_start(table);
  CHECK(first.due <= at(30s));
  table.finished(first.run, first.due);
  const auto second = next_start(table);
  table.finished(second.run, second.due);
  const auto gap = next_start(table).due - second.due;
  CHECK(gap >= 1s);
  CHECK(gap <= 24h * 31);
}

TEST_CASE("a key that comes twice in a set runs as it came first, too many checks are refused") {
  auto few = settings();
  few.checks_max = 2;
  Timetable table(few);
  const auto offers = push(table, at(0s), {check("a"), check("a", 60s, 2), check("b"), check("c")});
  CHECK(offers == std::vector<Offer>{Offer::added, Offer::repeated, Offer::added, Offer::refused});
  for (const auto& start : table.start_due(at(1min), 10)) CHECK(start.plan.fingerprint == 1);
}

TEST_CASE("a run past its deadline is told once") {
  Timetable table(settings());
  push(table, at(0s), {check("a", 1h)});
  const auto start = next_start(table);
  CHECK(table.take_overdue(start.due + 14min).empty());
  CHECK(table.next_event() <= start.due + 15min);
  CHECK(table.take_overdue(start.due + 15min) == std::vector<std::uint64_t>{start.run});
  CHECK(table.take_overdue(start.due + 16min).empty());
}

TEST_CASE("an assignment is one run per environment, told apart by the environment alone") {
  protocol::Assignment assignment;
  assignment.config_id = ConfigId("c");
  assignment.system_id = SystemId("s");
  assignment.environments_json =
      R"([{"id":"eu","name":"EU","fields":{"a":1}},{"id":"us","name":"US"}])";
  const auto shared = std::make_shared<const protocol::Assignment>(assignment);
  const auto runs = expand_runs(shared);
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].environment_id == "eu");
  CHECK(runs[0].key != runs[1].key);

  assignment.environments_json =
      R"([{"id":"eu","name":"EU","fields":{"a":2}},{"id":"us","name":"US"}])";
  assignment.config_name = "renamed";
  const auto changed = expand_runs(std::make_shared<const protocol::Assignment>(assignment));
  CHECK(changed[0].key == runs[0].key);
  CHECK(changed[0].fingerprint != runs[0].fingerprint);
  CHECK(changed[1].fingerprint == runs[1].fingerprint);
}
