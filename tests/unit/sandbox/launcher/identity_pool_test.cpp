#include "sandbox/launcher/client/identity_pool.hpp"

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
    CHECK(lease->identity() == Identity{id, id});
    held.push_back(*std::move(lease));
  }
  CHECK(pool.taken() == 3);
  CHECK_FALSE(pool.take());
}

TEST_CASE("an id that was given back rests until all others had their turn") {
  IdentityPool pool({10, 3});
  const auto taken_once = [&pool] { return pool.take()->identity().uid; };
  for (const std::uint32_t id : {10U, 11U, 12U, 10U, 11U}) CHECK(taken_once() == id);
  CHECK(pool.taken() == 0);
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
  CHECK(lease->identity().uid == 10);
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
