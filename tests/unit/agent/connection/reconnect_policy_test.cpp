#include "agent/connection/reconnect_policy.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace satellite::agent;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {
const EndedConnection never_reached{};
const EndedConnection stable{ConnectionEnd::lost, 60s, {}};
const EndedConnection short_lived{ConnectionEnd::lost, 59'999ms, {}};
}  // namespace

TEST_CASE("the window doubles from one second to thirty and stays there") {
  ReconnectPolicy policy;
  for (const milliseconds window : {1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s}) {
    policy.next_wait(never_reached, 0.5);
    CHECK(policy.window() == window);
  }
  for (int i = 0; i < 100; ++i) policy.next_wait(never_reached, 0.5);
  CHECK(policy.window() == 30s);
}

TEST_CASE("waits are spread over the whole window") {
  std::mt19937 generator(20240917);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  milliseconds sum{0};
  int below_a_tenth = 0;
  constexpr int draws = 10'000;
  ReconnectPolicy policy;
  for (int i = 0; i < 6; ++i) policy.next_wait(never_reached, 0.5);
  for (int i = 0; i < draws; ++i) {
    const milliseconds wait = policy.next_wait(never_reached, uniform(generator));
    REQUIRE(wait >= 100ms);
    REQUIRE(wait <= 30s);
    sum += wait;
    if (wait < 3s) ++below_a_tenth;
  }
  CHECK(sum / draws > 14'500ms);
  CHECK(sum / draws < 15'500ms);
  CHECK(below_a_tenth > draws / 12);
}

TEST_CASE("even the luckiest draw is no tight loop") {
  ReconnectPolicy policy;
  for (int i = 0; i < 50; ++i) CHECK(policy.next_wait(never_reached, 0.0) >= 100ms);
}

TEST_CASE("only a connection that was stable for a minute starts the backoff anew") {
  ReconnectPolicy policy;
  for (int i = 0; i < 10; ++i) policy.next_wait(never_reached, 0.5);
  policy.next_wait(short_lived, 0.5);
  CHECK(policy.window() == 30s);
  CHECK(policy.attempt() == 11);
  policy.next_wait(stable, 0.5);
  CHECK(policy.window() == 1s);
  CHECK(policy.attempt() == 1);
}

TEST_CASE("a core that accepts and drops at once is not hammered") {
  ReconnectPolicy policy;
  milliseconds total{0};
  for (int i = 0; i < 20; ++i) total += policy.next_wait({ConnectionEnd::lost, 5ms, {}}, 0.5);
  CHECK(total > 200s);
}

TEST_CASE("refused credentials wait minutes from the first time on") {
  const auto end = GENERATE(ConnectionEnd::unauthorised, ConnectionEnd::shut_down);
  ReconnectPolicy policy;
  for (const double random : {0.0, 0.5, 0.999}) {
    const milliseconds wait = policy.next_wait({end, 0ms, {}}, random);
    CHECK(wait >= 300s);
    CHECK(wait <= 360s);
  }
  CHECK(policy.next_wait({end, 3'600s, {}}, 0.0) >= 300s);
}

TEST_CASE("a Retry-After is waited out, and the jitter comes on top") {
  ReconnectPolicy policy;
  const EndedConnection busy{ConnectionEnd::lost, 0ms, std::chrono::seconds(60)};
  for (const double random : {0.0, 0.25, 0.999}) {
    const milliseconds wait = policy.next_wait(busy, random);
    CHECK(wait >= 60s);
    CHECK(wait <= policy.window());
    CHECK(policy.window() <= 90s);
  }
  CHECK(policy.next_wait(busy, 0.1) != policy.next_wait(busy, 0.9));
}

TEST_CASE("a refresh of our own is no failure: it connects at once and forgets earlier ones") {
  ReconnectPolicy policy;
  for (int i = 0; i < 3; ++i) policy.next_wait(never_reached, 0.5);
  CHECK(policy.next_wait({ConnectionEnd::refreshed, 2s, {}}, 0.99) == 0ms);
  CHECK(policy.attempt() == 0);
  policy.next_wait(never_reached, 0.5);
  CHECK(policy.window() == 1s);
}
