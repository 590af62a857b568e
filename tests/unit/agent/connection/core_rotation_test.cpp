#include "agent/connection/core_rotation.hpp"

#include <catch2/catch.hpp>

using namespace satellite::agent;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

const EndedConnection unreachable{};
const EndedConnection lost_after_an_hour{ConnectionEnd::lost, 1h, {}};
const EndedConnection lost_at_once{ConnectionEnd::lost, 50ms, {}};
const EndedConnection refused{ConnectionEnd::unauthorised, 0ms, {}};
const EndedConnection refreshed{ConnectionEnd::refreshed, 1h, {}};

/// A rotation and the time that its waits take.
struct Walk {
  explicit Walk(std::size_t count) : rotation(count) {}
  std::size_t end(const EndedConnection& ended, double random = 0.5) {
    wait = rotation.next_wait(ended, random, now);
    now += wait;
    return rotation.current();
  }
  CoreRotation rotation;
  CoreRotation::Time now{1'000h};
  milliseconds wait{0};
};

}  // namespace

TEST_CASE("one core is tried as the reconnect policy says") {
  Walk walk(1);
  ReconnectPolicy policy;
  for (const auto& ended : {unreachable, unreachable, lost_after_an_hour, refused, refreshed}) {
    CHECK(walk.end(ended) == 0);
    CHECK(walk.wait == policy.next_wait(ended, 0.5));
  }
}

TEST_CASE("of several cores those that cannot be reached are passed within a second each") {
  Walk walk(3);
  CHECK(walk.end(unreachable) == 1);
  CHECK(walk.wait <= 1s);
  CHECK(walk.wait >= 100ms);
  CHECK(walk.end(unreachable, 0.0) == 2);
  CHECK(walk.wait >= 100ms);
}

TEST_CASE("the wait grows with each round in vain, not with each core") {
  Walk walk(3);
  for (const milliseconds window : {1s, 2s, 4s, 8s, 15s, 15s}) {
    walk.end(unreachable, 1.0);
    walk.end(unreachable, 1.0);
    CHECK(walk.end(unreachable, 1.0) == 0);
    CHECK(walk.wait == window);
  }
}

TEST_CASE("a core that works is kept: after a break it is tried first, and after a refresh") {
  Walk walk(3);
  walk.end(unreachable);
  CHECK(walk.end(lost_after_an_hour) == 1);
  CHECK(walk.end(refreshed) == 1);
  CHECK(walk.wait == 0ms);
  // It does not come back: on to the next.
  CHECK(walk.end(unreachable) == 2);
}

TEST_CASE("a core that takes connections and drops them is left") {
  Walk walk(2);
  CHECK(walk.end(lost_at_once) == 1);
}

TEST_CASE("a core that refuses is not asked again for five minutes, the others are") {
  Walk walk(2);
  CHECK(walk.end(refused) == 1);
  CHECK(walk.wait <= 1s);
  const auto refused_at = walk.now - walk.wait;
  while (walk.end(unreachable) == 1) CHECK(walk.now < refused_at + 8min);
  CHECK(walk.now >= refused_at + 300s);
}

TEST_CASE("where all cores refuse, nobody is asked for five minutes, unless the token changes") {
  Walk walk(2);
  walk.end(refused);
  const auto first_refused_at = walk.now - walk.wait;
  CHECK(walk.end(refused) == 0);
  CHECK(walk.now >= first_refused_at + 300s);
  walk.end(refused);
  walk.rotation.credentials_changed();
  CHECK(walk.end(unreachable) <= 1);
  CHECK(walk.wait <= 2s);
}

TEST_CASE("a core that asks for patience has it, while the others are tried") {
  Walk walk(2);
  const EndedConnection busy{ConnectionEnd::lost, 0ms, 120s};
  CHECK(walk.end(busy) == 1);
  CHECK(walk.wait <= 1s);
  const auto asked_at = walk.now - walk.wait;
  while (walk.end(unreachable) == 1) CHECK(walk.now < asked_at + 4min);
  CHECK(walk.now >= asked_at + 120s);
}
