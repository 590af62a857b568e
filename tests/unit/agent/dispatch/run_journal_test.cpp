#include "agent/dispatch/run_journal.hpp"

#include "protocol/vocabulary/limits.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {
const RunJournal::Time start{};
}

TEST_CASE("an id is accepted once, whatever became of its run") {
  RunJournal journal;
  CHECK(journal.accept(RunId("a"), start));
  CHECK_FALSE(journal.accept(RunId("a"), start));
  journal.running(RunId("a"));
  CHECK_FALSE(journal.accept(RunId("a"), start));
  journal.finished(RunId("a"));
  journal.keep_frame(RunId("a"), "{}");
  CHECK_FALSE(journal.accept(RunId("a"), start + 23h));
  CHECK(journal.find(RunId("a"))->finished_frame == "{}");
}

TEST_CASE("a finished id is forgotten after a day, a running one never") {
  RunJournal journal;
  journal.accept(RunId("finished"), start);
  journal.finished(RunId("finished"));
  journal.accept(RunId("running"), start);
  journal.running(RunId("running"));
  CHECK(journal.accept(RunId("later"), start + 24h));
  CHECK_FALSE(journal.find(RunId("finished")));
  CHECK(journal.find(RunId("running"))->state == JournalState::running);
}

TEST_CASE("the journal stays within its bound and forgets the oldest finished id first") {
  RunJournal journal;
  journal.accept(RunId("still-running"), start);
  journal.running(RunId("still-running"));
  for (std::size_t i = 0; i < limits::run_ids_kept_max + 50; ++i) {
    const RunId id("run-" + std::to_string(i));
    REQUIRE(journal.accept(id, start + std::chrono::seconds(i)));
    journal.finished(id);
    journal.keep_frame(id, "{}");
  }
  CHECK(journal.size() <= limits::run_ids_kept_max);
  CHECK(journal.count_frames() <= limits::run_ids_kept_max);
  CHECK(journal.find(RunId("still-running")));
  CHECK_FALSE(journal.find(RunId("run-0")));
  CHECK(journal.find(RunId("run-" + std::to_string(limits::run_ids_kept_max + 49))));
}

TEST_CASE("frames of old runs are dropped before their ids") {
  RunJournal journal;
  for (int i = 0; i < 3; ++i) {
    const RunId id("run-" + std::to_string(i));
    journal.accept(id, start);
    journal.finished(id);
    journal.keep_frame(id, std::string(2U << 20U, 'x'));
  }
  CHECK(journal.find(RunId("run-0"))->state == JournalState::finished);
  CHECK(journal.find(RunId("run-0"))->finished_frame.empty());
  CHECK_FALSE(journal.find(RunId("run-2"))->finished_frame.empty());
}

TEST_CASE("what an earlier process accepted is known, and ages as it did there") {
  RunJournal journal;
  journal.remember(RunId("old"), start - 23h);
  journal.remember(RunId("young"), start - 1h);
  CHECK_FALSE(journal.accept(RunId("old"), start));
  CHECK(journal.find(RunId("old"))->state == JournalState::finished);
  CHECK(journal.accept(RunId("new"), start + 2h));
  CHECK(journal.accept(RunId("old"), start + 2h));
  CHECK_FALSE(journal.accept(RunId("young"), start + 2h));
}
