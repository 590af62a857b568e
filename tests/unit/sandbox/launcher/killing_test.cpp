#include "sandbox/launcher/process/killing.hpp"
#include "sandbox/launcher/wire/records.hpp"

#include <catch2/catch.hpp>

using namespace satellite::sandbox;
using namespace std::chrono_literals;

namespace {

const Killing::TimePoint start{100s};

}  // namespace

TEST_CASE("a run that nobody kills is never looked at") {
  Killing killing;
  CHECK_FALSE(killing.has_begun());
  CHECK_FALSE(killing.next_look());
  CHECK_FALSE(killing.take_overdue(start + 1h));
  CHECK_FALSE(killing.take_give_up(start + 1h));
  CHECK_FALSE(killing.is_unkillable());
}

TEST_CASE(
    "a killed run is killed again after one second, then with doubled pauses up to a minute") {
  Killing killing;
  killing.begin(start);
  CHECK(killing.has_begun());
  auto now = start;
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    INFO(pause.count() << " s");
    CHECK_FALSE(killing.take_overdue(now + pause - 1ms));
    now += pause;
    CHECK(killing.take_overdue(now));
    CHECK_FALSE(killing.take_overdue(now));
  }
}

TEST_CASE("a late look costs one attempt, not one for each that was missed") {
  Killing killing;
  killing.begin(start);
  CHECK(killing.take_overdue(start + 1h));
  CHECK_FALSE(killing.take_overdue(start + 1h + 1s));
  CHECK(killing.take_overdue(start + 1h + 2s));
}

TEST_CASE("asking again for the end of a run changes none of its times") {
  Killing killing;
  killing.begin(start);
  killing.begin(start + 900ms);
  CHECK(killing.take_overdue(start + 1s));
  CHECK(killing.take_give_up(start + unkillable_after));
}

TEST_CASE("a run is given up once, when its whole time has passed") {
  Killing killing;
  killing.begin(start);
  CHECK_FALSE(killing.take_give_up(start + unkillable_after - 1ms));
  CHECK_FALSE(killing.is_unkillable());
  CHECK(killing.take_give_up(start + unkillable_after));
  CHECK(killing.is_unkillable());
  CHECK_FALSE(killing.take_give_up(start + 1h));
}

TEST_CASE("an unkillable run is killed again for as long as it exists") {
  Killing killing;
  killing.begin(start);
  REQUIRE(killing.take_give_up(start + 1h));
  CHECK(killing.take_overdue(start + 1h));
  CHECK(killing.next_look() == start + 1h + 2s);
  killing.begin(start + 2h);
  CHECK(killing.is_unkillable());
}

TEST_CASE("the next look is at the earlier of the next attempt and the moment of giving up") {
  Killing killing;
  killing.begin(start);
  CHECK(killing.next_look() == start + 1s);
  REQUIRE(killing.take_overdue(start + 3s));  // the next one would be at 5 s
  CHECK(killing.next_look() == start + unkillable_after);
  REQUIRE(killing.take_overdue(start + unkillable_after));
  CHECK(killing.next_look() == start + unkillable_after);
  REQUIRE(killing.take_give_up(start + unkillable_after));
  CHECK(killing.next_look() == start + unkillable_after + 4s);
}

TEST_CASE("a run that is found unkillable by others is not given up again") {
  Killing killing;
  killing.give_up();
  CHECK(killing.is_unkillable());
  CHECK_FALSE(killing.next_look());
  CHECK_FALSE(killing.take_give_up(start + 1h));
  killing.begin(start);
  CHECK(killing.is_unkillable());
  CHECK(killing.next_look() == start + 1s);
}
