#include "agent/dispatch/admission.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {

const auto asked_at = std::chrono::steady_clock::time_point(1'000h);

AdmissionRequest named(const char* id, Priority priority = Priority::normal) {
  return AdmissionRequest{RunId(id), priority, std::nullopt};
}

std::size_t position(const Admission& admission) {
  return std::get<Admitted>(admission).position;
}

}  // namespace

TEST_CASE("a run that finds a free place starts at once, the next ones wait in order") {
  AdmissionQueue queue({1, 2});
  CHECK(position(queue.admit(named("a"), asked_at)) == 0);
  CHECK(queue.next_to_start() == RunId("a"));
  CHECK(position(queue.admit(named("b"), asked_at)) == 1);
  CHECK(position(queue.admit(named("c"), asked_at)) == 2);
  CHECK_FALSE(queue.next_to_start());
  queue.finished();
  CHECK(queue.next_to_start() == RunId("b"));
}

TEST_CASE("a full queue rejects, and a finished run makes room again") {
  AdmissionQueue queue({1, 1});
  queue.admit(named("a"), asked_at);
  CHECK(queue.next_to_start() == RunId("a"));
  queue.admit(named("b"), asked_at);
  CHECK(std::get<RejectionCode>(queue.admit(named("c"), asked_at)) == RejectionCode::queue_full);
  queue.finished();
  CHECK(queue.next_to_start() == RunId("b"));
  CHECK(position(queue.admit(named("c"), asked_at)) == 1);
}

TEST_CASE("a queue of length nothing still admits what finds a free place") {
  AdmissionQueue queue({2, 0});
  CHECK(position(queue.admit(named("a"), asked_at)) == 0);
  CHECK(position(queue.admit(named("b"), asked_at)) == 0);
  CHECK(std::get<RejectionCode>(queue.admit(named("c"), asked_at)) == RejectionCode::queue_full);
}

TEST_CASE("high goes before normal before low") {
  AdmissionQueue queue({1, 10});
  queue.admit(named("running"), asked_at);
  CHECK(queue.next_to_start() == RunId("running"));
  queue.admit(named("low", Priority::low), asked_at);
  queue.admit(named("normal"), asked_at);
  CHECK(position(queue.admit(named("high", Priority::high), asked_at)) == 1);
  CHECK(queue.position_of(RunId("low")) == 3u);
  for (const char* expected : {"high", "normal", "low"}) {
    queue.finished();
    CHECK(queue.next_to_start() == RunId(expected));
  }
}

TEST_CASE("what is too late to start is rejected or leaves the queue") {
  AdmissionQueue queue({1, 10});
  CHECK(std::get<RejectionCode>(queue.admit({RunId("late"), Priority::normal, asked_at},
                                            asked_at)) == RejectionCode::expired);
  queue.admit(named("a"), asked_at);
  CHECK(queue.next_to_start() == RunId("a"));
  queue.admit({RunId("b"), Priority::normal, asked_at + 5s}, asked_at);
  queue.admit({RunId("c"), Priority::normal, asked_at + 50s}, asked_at);
  CHECK(queue.take_expired(asked_at + 4s).empty());
  CHECK(queue.take_expired(asked_at + 5s) == std::vector<RunId>{RunId("b")});
  CHECK(queue.queued() == 1);
}

TEST_CASE("a waiting run can be withdrawn once, a started one cannot") {
  AdmissionQueue queue({1, 10});
  queue.admit(named("a"), asked_at);
  CHECK(queue.next_to_start() == RunId("a"));
  queue.admit(named("b"), asked_at);
  CHECK_FALSE(queue.withdraw(RunId("a")));
  CHECK(queue.withdraw(RunId("b")));
  CHECK_FALSE(queue.withdraw(RunId("b")));
}

TEST_CASE("nothing is admitted once the agent shuts down") {
  AdmissionQueue queue({1, 10});
  queue.shut_down();
  CHECK(std::get<RejectionCode>(queue.admit(named("a"), asked_at)) == RejectionCode::shutting_down);
}
