#include "sandbox/running/prepared_run_policy.hpp"

#include "sandbox/running/prepared_runs.hpp"

#include <catch2/catch.hpp>

using namespace satellite::sandbox;
using namespace std::chrono_literals;

namespace {

const PreparedRunPolicy::Time begun{100h};

ResolvedPolicy policy_with(std::uint64_t open_files) {
  Policy policy = shipped_default_policy();
  policy.resources.max_open_files = open_files;
  return {policy, false};
}

const ResolvedPolicy usual = policy_with(100);

/// Until it has as many as it wants, made at `at`.
void fill(PreparedRunPolicy& run_policy, PreparedRunPolicy::Time at, std::uint64_t& number) {
  while (run_policy.lacks_one(at)) {
    run_policy.making(++number, at);
    run_policy.ready(number);
  }
}

}  // namespace

TEST_CASE("nothing is made before anything ran, nor without the setting") {
  PreparedRunPolicy run_policy(4);
  CHECK_FALSE(run_policy.lacks_one(begun));
  CHECK_FALSE(run_policy.next_look(begun));
  PreparedRunPolicy none(0);
  CHECK_FALSE(none.take(usual, begun));
  CHECK_FALSE(none.lacks_one(begun + 1min));
  CHECK_FALSE(none.next_look(begun));
}

TEST_CASE("one is made in the pause after a run, and handed out once") {
  PreparedRunPolicy run_policy(4);
  CHECK_FALSE(run_policy.take(usual, begun));
  CHECK_FALSE(run_policy.lacks_one(begun));
  const auto look = run_policy.next_look(begun);
  REQUIRE(look);
  CHECK(*look > begun);
  CHECK(run_policy.lacks_one(*look));
  run_policy.making(7, *look);
  CHECK_FALSE(run_policy.lacks_one(*look));
  CHECK_FALSE(run_policy.take(usual, begun + 10ms));  // it does not stand yet
  run_policy.ready(7);
  CHECK(run_policy.count_ready() == 1);
  CHECK(run_policy.take(usual, begun + 20ms) == 7U);
  CHECK_FALSE(run_policy.take(usual, begun + 20ms));
}

TEST_CASE("one is made after the other") {
  PreparedRunPolicy run_policy(4);
  for (int i = 0; i < 3; ++i) run_policy.take(usual, begun);
  REQUIRE(run_policy.lacks_one(begun + 1s));
  run_policy.making(1, begun + 1s);
  CHECK_FALSE(run_policy.lacks_one(begun + 1s));
  run_policy.ready(1);
  CHECK(run_policy.lacks_one(begun + 1s));
}

TEST_CASE("as many stand ready as began without a pause, up to the most that may") {
  std::uint64_t number = 0;
  PreparedRunPolicy run_policy(4);
  for (int i = 0; i < 3; ++i) run_policy.take(usual, begun + i * 1ms);
  fill(run_policy, begun + 1s, number);
  CHECK(run_policy.count_ready() == 3);
  for (int i = 0; i < 9; ++i) run_policy.take(usual, begun + 2s);
  fill(run_policy, begun + 3s, number);
  CHECK(run_policy.count_ready() == 4);
}

TEST_CASE("the oldest one goes first") {
  std::uint64_t number = 0;
  PreparedRunPolicy run_policy(2);
  run_policy.take(usual, begun);
  run_policy.take(usual, begun);
  fill(run_policy, begun + 1s, number);
  CHECK(run_policy.take(usual, begun + 2s) == 1U);
  CHECK(run_policy.take(usual, begun + 2s) == 2U);
}

TEST_CASE("another policy, or whether it is the fail-closed one, gives up what stands") {
  std::uint64_t number = 0;
  PreparedRunPolicy run_policy(2);
  run_policy.take(usual, begun);
  fill(run_policy, begun + 1s, number);
  ResolvedPolicy other = usual;
  SECTION("another limit") {
    other = policy_with(101);
  }
  SECTION("the same words without a valid policy") {
    other.failed_closed = true;
  }
  CHECK_FALSE(run_policy.take(other, begun + 2s));
  CHECK(run_policy.next_look(begun + 2s) <= begun + 2s);
  CHECK(run_policy.outdated(begun + 2s) == std::vector<PreparedRunPolicy::Number>{1});
  CHECK(run_policy.outdated(begun + 2s).empty());
  fill(run_policy, begun + 3s, number);
  CHECK(run_policy.take(other, begun + 4s) == 2U);
}

TEST_CASE("an old one is given up and made anew, and of several one fewer") {
  std::uint64_t number = 0;
  PreparedRunPolicy run_policy(4);
  for (int i = 0; i < 3; ++i) run_policy.take(usual, begun);
  fill(run_policy, begun + 1s, number);
  const auto look = run_policy.next_look(begun + 1s);
  REQUIRE(look);
  CHECK_FALSE(run_policy.take(usual, *look));  // too old by then
  CHECK(run_policy.outdated(*look).size() == 3);
  fill(run_policy, *look + 1s, number);
  CHECK(run_policy.count_ready() == 1);
}

TEST_CASE("nothing stands ready where nothing ran for long") {
  std::uint64_t number = 0;
  PreparedRunPolicy run_policy(4);
  run_policy.take(usual, begun);
  auto now = begun;
  std::size_t looks = 0;
  while (const auto look = run_policy.next_look(now)) {
    now = std::max(now, *look);
    static_cast<void>(run_policy.outdated(now));
    fill(run_policy, now, number);
    REQUIRE(++looks < 100);
  }
  CHECK(run_policy.count_ready() == 0);
  CHECK(now < begun + 1h);
  // And again once something does.
  run_policy.take(usual, now + 1h);
  CHECK(run_policy.lacks_one(now + 2h) == false);
  CHECK(run_policy.lacks_one(now + 1h + 1s));
}

TEST_CASE("after one was lost or could not be made, there is a pause") {
  PreparedRunPolicy run_policy(4);
  run_policy.take(usual, begun);
  run_policy.making(1, begun + 1s);
  SECTION("it was lost") {
    run_policy.lost(1, begun + 2s);
  }
  SECTION("the next one could not be made") {
    run_policy.ready(1);
    CHECK(run_policy.take(usual, begun + 2s) == 1U);
    run_policy.defer(begun + 2s);
  }
  CHECK_FALSE(run_policy.lacks_one(begun + 3s));
  const auto look = run_policy.next_look(begun + 3s);
  REQUIRE(look);
  CHECK(*look > begun + 30s);
  CHECK(run_policy.lacks_one(*look));
}

TEST_CASE("fewer are kept where they would take too much") {
  std::uint64_t number = 0;
  PreparedRunPolicy run_policy(8);
  for (int i = 0; i < 8; ++i) run_policy.take(usual, begun);
  run_policy.allow(2);
  fill(run_policy, begun + 1s, number);
  CHECK(run_policy.count_ready() == 2);
  run_policy.allow(0);
  for (int i = 0; i < 2; ++i) run_policy.take(usual, begun + 2s);
  CHECK_FALSE(run_policy.lacks_one(begun + 3s));
}

TEST_CASE("how many of an order may stand ready follows from what runs share") {
  LaunchOrder order;
  order.engine = Engine::native;
  order.native.emplace().confined = true;
  CHECK(prepared_runs_max(order) > 1'000);
  order.resource_settings = {{Resource::processes, 64}, {Resource::open_files, 10}};
  CHECK(prepared_runs_max(order) == 4);
  order.resource_settings.front().value = 8;
  CHECK(prepared_runs_max(order) == 0);
  order.identity_is_own = true;
  CHECK(prepared_runs_max(order) > 1'000);
  // Who sees the host's files reaches the directory of another run, unless that is another user's.
  order.native->confined = false;
  CHECK(prepared_runs_max(order) > 1'000);
  order.identity_is_own = false;
  order.resource_settings.clear();
  CHECK(prepared_runs_max(order) == 0);
  order.native->confined = true;
  CHECK(prepared_runs_max(order) > 1'000);
  order.network = NetworkOrder{Egress::slirp4netns, {}};
  CHECK(prepared_runs_max(order) > 1'000);
  order.network->egress = Egress::macvlan;
  CHECK(prepared_runs_max(order) == 0);
  order.network.reset();
  order.engine = Engine::bwrap;
  CHECK(prepared_runs_max(order) == 0);
}

TEST_CASE("what only waits for others is tried again soon") {
  PreparedRunPolicy run_policy(4);
  run_policy.take(usual, begun);
  run_policy.defer_briefly(begun + 1s);
  CHECK_FALSE(run_policy.lacks_one(begun + 1s));
  const auto look = run_policy.next_look(begun + 1s);
  REQUIRE(look);
  CHECK(*look < begun + 5s);
  CHECK(run_policy.lacks_one(*look));
}

TEST_CASE("no more are made than there is memory for, and more as soon as there is") {
  PreparedRunPolicy run_policy(4);
  for (int i = 0; i < 4; ++i) run_policy.take(usual, begun);
  const auto later = begun + 1s;
  std::uint64_t number = 0;
  run_policy.room_for(2);
  for (std::size_t room = 2; run_policy.lacks_one(later);) {
    run_policy.making(++number, later);
    run_policy.ready(number);
    run_policy.room_for(--room);
  }
  CHECK(number == 2);
  CHECK(run_policy.next_look(later) > later);  // it does not ask again and again
  run_policy.room_for(1);
  CHECK(run_policy.lacks_one(later));
  run_policy.room_for(0);
  CHECK(run_policy.take(usual, later) == 1U);
  run_policy.room_for(1);
  CHECK(run_policy.lacks_one(later + 1s));
}

TEST_CASE("while a run goes on the next one waits for its end, but not for long") {
  PreparedRunPolicy run_policy(4);
  run_policy.busy();
  run_policy.take(usual, begun);
  CHECK_FALSE(run_policy.lacks_one(begun + 10ms));
  const auto look = run_policy.next_look(begun + 10ms);
  REQUIRE(look);
  CHECK(run_policy.lacks_one(*look));  // it goes on and on
  run_policy.idle(begun + 12ms);
  const auto sooner = run_policy.next_look(begun + 12ms);
  REQUIRE(sooner);
  CHECK(*sooner < *look);
  CHECK(*sooner > begun + 12ms);
  CHECK(run_policy.lacks_one(*sooner));
}
