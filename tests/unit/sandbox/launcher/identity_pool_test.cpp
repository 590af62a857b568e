#include "sandbox/launcher/client/identity_pool.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>
#include <vector>

using namespace satellite::sandbox;
using namespace std::chrono_literals;

namespace asio = boost::asio;

TEST_CASE("no id is handed out twice, and none beyond the range") {
  IdentityPool pool({200'000, 3});
  std::vector<IdentityPool::Lease> held;
  for (std::uint32_t id = 200'000; id < 200'003; ++id) {
    auto lease = pool.take();
    REQUIRE(lease);
    CHECK(lease->identity() == OwnIdentity{{id, id}});
    held.push_back(*std::move(lease));
  }
  CHECK(pool.taken() == 3);
  CHECK_FALSE(pool.take());
}

TEST_CASE("an id that was given back rests until all others had their turn") {
  IdentityPool pool({10, 3});
  const auto taken_once = [&pool] { return pool.take()->identity().script.uid; };
  for (const std::uint32_t id : {10U, 11U, 12U, 10U, 11U}) CHECK(taken_once() == id);
  CHECK(pool.taken() == 0);
}

TEST_CASE("who takes two ids gets them together or none") {
  IdentityPool pool({10, 3});
  auto both = pool.take(OwnIds::of_script_and_init);
  REQUIRE(both);
  CHECK(both->identity() == OwnIdentity{{10, 10}, 11});
  CHECK(pool.taken() == 2);
  CHECK_FALSE(pool.take(OwnIds::of_script_and_init));
  CHECK(pool.has(OwnIds::of_script));
  const auto one = pool.take();
  REQUIRE(one);
  CHECK(one->identity() == OwnIdentity{{12, 12}});
  both.reset();
  CHECK(pool.taken() == 1);
  CHECK(pool.take(OwnIds::of_script_and_init)->identity() == OwnIdentity{{10, 10}, 11});
}

TEST_CASE("ids that somebody else has at the moment are passed over") {
  std::vector<std::uint32_t> in_use{10, 12};
  IdentityPool pool({10, 4}, [&in_use](std::uint32_t id) {
    return std::find(in_use.begin(), in_use.end(), id) != in_use.end();
  });
  {
    const auto both = pool.take(OwnIds::of_script_and_init);
    REQUIRE(both);
    CHECK(both->identity() == OwnIdentity{{11, 11}, 13});
    CHECK_FALSE(pool.take());
  }
  in_use.push_back(11);
  CHECK_FALSE(pool.take(OwnIds::of_script_and_init));
  CHECK(pool.taken() == 0);
  in_use.clear();
  std::vector<IdentityPool::Lease> held;
  while (auto lease = pool.take()) held.push_back(*std::move(lease));
  CHECK(held.size() == 4);
}

TEST_CASE("a lease that is moved is given back once") {
  IdentityPool pool({10, 1});
  {
    auto first = pool.take();
    const auto second = std::move(first);
    first.reset();
    CHECK_FALSE(pool.take());
  }
  CHECK(pool.take());
  CHECK(pool.taken() == 0);
}

TEST_CASE("a lease may outlive its pool") {
  auto pool = std::make_unique<IdentityPool>(IdentityRange{10, 1});
  const auto lease = pool->take();
  pool.reset();
  CHECK(lease->identity().script.uid == 10);
}

TEST_CASE("each id that is given back wakes one who waits") {
  asio::io_context context(1);
  IdentityPool pool({10, 2});
  std::vector<IdentityPool::Lease> held;
  held.push_back(*pool.take());
  held.push_back(*pool.take());
  int woken = 0;
  const auto wait = [&]() -> asio::awaitable<void> {
    co_await pool.given_back(context, std::chrono::steady_clock::now() + 1h);
    ++woken;
  };
  for (int i = 0; i < 3; ++i) asio::co_spawn(context, wait(), asio::detached);
  context.poll();
  REQUIRE(woken == 0);
  held.clear();
  context.restart();
  context.poll();
  CHECK(woken == 2);
}

TEST_CASE("who waits in vain is told at the deadline") {
  asio::io_context context(1);
  IdentityPool pool({10, 1});
  const auto held = pool.take();
  bool ended = false;
  const auto wait = [&]() -> asio::awaitable<void> {
    co_await pool.given_back(context, std::chrono::steady_clock::now() + 1ms);
    ended = true;
  };
  asio::co_spawn(context, wait(), asio::detached);
  context.run();
  CHECK(ended);
  CHECK_FALSE(pool.take());
}
