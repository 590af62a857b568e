#include "sandbox/running/prepared_run_policy.hpp"

#include "sandbox/running/prepared_runs.hpp"

#include <catch2/catch.hpp>

using namespace satellite::sandbox;
using namespace std::chrono_literals;

namespace {

const Stock::Time start{100h};

ResolvedPolicy policy_with(std::uint64_t open_files) {
  Policy policy = shipped_default_policy();
  policy.resources.max_open_files = open_files;
  return {policy, false};
}

const ResolvedPolicy usual = policy_with(100);

/// A stock that has as many as it wants, made at `at`.
void fill(Stock& stock, Stock::Time at, std::uint64_t& number) {
  while (stock.lacks_one(at)) {
    stock.making(++number, at);
    stock.ready(number);
  }
}

}  // namespace

TEST_CASE("nothing is made before anything ran, nor without the setting") {
  Stock stock(4);
  CHECK_FALSE(stock.lacks_one(start));
  CHECK_FALSE(stock.next_look(start));
  Stock none(0);
  CHECK_FALSE(none.take(usual, start));
  CHECK_FALSE(none.lacks_one(start + 1min));
  CHECK_FALSE(none.next_look(start));
}

TEST_CASE("one is made in the pause after a run, and handed out once") {
  Stock stock(4);
  CHECK_FALSE(stock.take(usual, start));
  CHECK_FALSE(stock.lacks_one(start));
  const auto look = stock.next_look(start);
  REQUIRE(look);
  CHECK(*look > start);
  CHECK(stock.lacks_one(*look));
  stock.making(7, *look);
  CHECK_FALSE(stock.lacks_one(*look));
  CHECK_FALSE(stock.take(usual, start + 10ms));  // it does not stand yet
  stock.ready(7);
  CHECK(stock.count_ready() == 1);
  CHECK(stock.take(usual, start + 20ms) == 7U);
  CHECK_FALSE(stock.take(usual, start + 20ms));
}

TEST_CASE("one is made after the other") {
  Stock stock(4);
  for (int i = 0; i < 3; ++i) stock.take(usual, start);
  REQUIRE(stock.lacks_one(start + 1s));
  stock.making(1, start + 1s);
  CHECK_FALSE(stock.lacks_one(start + 1s));
  stock.ready(1);
  CHECK(stock.lacks_one(start + 1s));
}

TEST_CASE("as many stand ready as began without a pause, up to the most that may") {
  std::uint64_t number = 0;
  Stock stock(4);
  for (int i = 0; i < 3; ++i) stock.take(usual, start + i * 1ms);
  fill(stock, start + 1s, number);
  CHECK(stock.count_ready() == 3);
  for (int i = 0; i < 9; ++i) stock.take(usual, start + 2s);
  fill(stock, start + 3s, number);
  CHECK(stock.count_ready() == 4);
}

TEST_CASE("the oldest one goes first") {
  std::uint64_t number = 0;
  Stock stock(2);
  stock.take(usual, start);
  stock.take(usual, start);
  fill(stock, start + 1s, number);
  CHECK(stock.take(usual, start + 2s) == 1U);
  CHECK(stock.take(usual, start + 2s) == 2U);
}

TEST_CASE("another policy, or whether it is the fail-closed one, gives up what stands") {
  std::uint64_t number = 0;
  Stock stock(2);
  stock.take(usual, start);
  fill(stock, start + 1s, number);
  ResolvedPolicy other = usual;
  SECTION("another limit") {
    other = policy_with(101);
  }
  SECTION("the same words without a valid policy") {
    other.failed_closed = true;
  }
  CHECK_FALSE(stock.take(other, start + 2s));
  CHECK(stock.next_look(start + 2s) <= start + 2s);
  CHECK(stock.outdated(start + 2s) == std::vector<Stock::Number>{1});
  CHECK(stock.outdated(start + 2s).empty());
  fill(stock, start + 3s, number);
  CHECK(stock.take(other, start + 4s) == 2U);
}

TEST_CASE("an old one is given up and made anew; of several, one fewer") {
  std::uint64_t number = 0;
  Stock stock(4);
  for (int i = 0; i < 3; ++i) stock.take(usual, start);
  fill(stock, start + 1s, number);
  const auto look = stock.next_look(start + 1s);
  REQUIRE(look);
  CHECK_FALSE(stock.take(usual, *look));  // too old by then
  CHECK(stock.outdated(*look).size() == 3);
  fill(stock, *look + 1s, number);
  CHECK(stock.count_ready() == 1);
}

TEST_CASE("nothing stands ready where nothing ran for long") {
  std::uint64_t number = 0;
  Stock stock(4);
  stock.take(usual, start);
  auto now = start;
  std::size_t looks = 0;
  while (const auto look = stock.next_look(now)) {
    now = std::max(now, *look);
    static_cast<void>(stock.outdated(now));
    fill(stock, now, number);
    REQUIRE(++looks < 100);
  }
  CHECK(stock.count_ready() == 0);
  CHECK(now < start + 1h);
  // And again once something does.
  stock.take(usual, now + 1h);
  CHECK(stock.lacks_one(now + 2h) == false);
  CHECK(stock.lacks_one(now + 1h + 1s));
}

TEST_CASE("after one was lost or could not be made, there is a pause") {
  Stock stock(4);
  stock.take(usual, start);
  stock.making(1, start + 1s);
  SECTION("it was lost") {
    stock.lost(1, start + 2s);
  }
  SECTION("the next one could not be made") {
    stock.ready(1);
    CHECK(stock.take(usual, start + 2s) == 1U);
    stock.defer(start + 2s);
  }
  CHECK_FALSE(stock.lacks_one(start + 3s));
  const auto look = stock.next_look(start + 3s);
  REQUIRE(look);
  CHECK(*look > start + 30s);
  CHECK(stock.lacks_one(*look));
}

TEST_CASE("fewer are kept where they would take too much") {
  std::uint64_t number = 0;
  Stock stock(8);
  for (int i = 0; i < 8; ++i) stock.take(usual, start);
  stock.allow(2);
  fill(stock, start + 1s, number);
  CHECK(stock.count_ready() == 2);
  stock.allow(0);
  for (int i = 0; i < 2; ++i) stock.take(usual, start + 2s);
  CHECK_FALSE(stock.lacks_one(start + 3s));
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
  Stock stock(4);
  stock.take(usual, start);
  stock.defer_briefly(start + 1s);
  CHECK_FALSE(stock.lacks_one(start + 1s));
  const auto look = stock.next_look(start + 1s);
  REQUIRE(look);
  CHECK(*look < start + 5s);
  CHECK(stock.lacks_one(*look));
}
