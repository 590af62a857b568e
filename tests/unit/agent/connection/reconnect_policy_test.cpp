#include "agent/connection/reconnect_policy.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <random>
#include <vector>

using namespace satellite::agent;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {
const EndedConnection never_reached{};
const EndedConnection stable{ConnectionEnd::lost, 60s, {}};
const EndedConnection short_lived{ConnectionEnd::lost, 59'999ms, {}};
}  // namespace

TEST_CASE("windows double from one second to half of the longest wait, and stay there") {
  ReconnectPolicy policy;
  // The latest moment of each: no window leaves anything to be waited out.
  for (const milliseconds wait : {1s, 2s, 4s, 8s, 15s, 15s, 15s}) {
    CHECK(policy.next_wait(never_reached, 1.0) == wait);
  }
  // The earliest of one after the earliest of the one before: all of that is waited out.
  for (int i = 0; i < 100; ++i) policy.next_wait(never_reached, 0.0);
  CHECK(policy.next_wait(never_reached, 0.0) == 15s);
  CHECK(policy.window() == 30s);
}

TEST_CASE("each window has one attempt, at a moment that is drawn from the whole of it") {
  std::mt19937 generator(20240917);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  milliseconds now{0}, begin{0};
  std::vector<int> by_tenth(10);
  ReconnectPolicy policy;
  for (const milliseconds window : {1s, 2s, 4s, 8s}) {
    now += policy.next_wait(never_reached, 0.5);
    begin += window;
  }
  for (int i = 0; i < 10'000; ++i) {
    now += policy.next_wait(never_reached, uniform(generator));
    REQUIRE(now >= begin);
    REQUIRE(now <= begin + 15s);
    ++by_tenth.at(static_cast<std::size_t>(std::min<std::int64_t>(9, (now - begin) / 1'500ms)));
    begin += 15s;
  }
  for (const int count : by_tenth) CHECK(count > 850);
}

TEST_CASE("a core that was there is tried again within the spread first, then ever more seldom") {
  ReconnectPolicy::Settings settings;
  settings.spread = 4s;
  ReconnectPolicy policy(settings);
  CHECK(policy.next_wait(never_reached, 1.0) == 1s);
  CHECK(policy.next_wait(stable, 1.0) == 4s);
  CHECK(policy.next_wait(never_reached, 1.0) == 6s);
  CHECK(policy.next_wait(never_reached, 1.0) == 9s);
  for (int i = 0; i < 10; ++i) policy.next_wait(never_reached, 1.0);
  CHECK(policy.next_wait(never_reached, 1.0) <= 15s);
  CHECK(policy.next_wait({ConnectionEnd::lost, 0ms, std::chrono::seconds(60)}, 1.0) >= 64s);
}

TEST_CASE("a spread that is longer than the longest wait is the operator's word") {
  ReconnectPolicy::Settings settings;
  settings.spread = 100s;
  ReconnectPolicy policy(settings);
  for (int i = 0; i < 5; ++i) CHECK(policy.next_wait(i == 0 ? stable : never_reached, 1.0) == 100s);
}

TEST_CASE("even the luckiest draw is no tight loop") {
  ReconnectPolicy policy;
  for (int i = 0; i < 50; ++i) CHECK(policy.next_wait(never_reached, 0.0) >= 100ms);
}

TEST_CASE("only a connection that was stable for a minute starts the backoff anew") {
  ReconnectPolicy policy;
  for (int i = 0; i < 10; ++i) policy.next_wait(never_reached, 0.5);
  policy.next_wait(short_lived, 0.5);
  CHECK(policy.window() == 15s);
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
  const auto end = GENERATE(ConnectionEnd::unauthorised, ConnectionEnd::proxy_refused,
                            ConnectionEnd::shut_down, ConnectionEnd::displaced);
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
