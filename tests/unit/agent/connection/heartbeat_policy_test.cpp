#include "agent/connection/heartbeat_policy.hpp"

#include <catch2/catch.hpp>

using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {
const std::chrono::steady_clock::time_point start{1'000s};

LinkActivity fresh() {
  return {start, start, {}, {}};
}
}  // namespace

TEST_CASE("a fresh link is left alone until the first ping is due") {
  const LinkDecision decision = HeartbeatPolicy().decide(fresh(), start + 1s);
  CHECK(decision.verdict == LinkVerdict::alive);
  CHECK(decision.look_again == start + 15s);
}

TEST_CASE("pings go out every fifteen seconds, also while bytes come") {
  LinkActivity busy = fresh();
  busy.last_received = start + 15s;
  const LinkDecision decision = HeartbeatPolicy().decide(busy, start + 15s);
  CHECK(decision.verdict == LinkVerdict::ping);
  CHECK(decision.look_again == start + 30s);
}

TEST_CASE("forty-five seconds of silence are death, not a moment less") {
  LinkActivity silent = fresh();
  silent.last_ping = start + 40s;
  const HeartbeatPolicy policy;
  CHECK(policy.decide(silent, start + 45s - 1ms).verdict == LinkVerdict::alive);
  CHECK(policy.decide(silent, start + 45s).verdict == LinkVerdict::silent);
}

TEST_CASE("any byte is life") {
  LinkActivity activity = fresh();
  activity.last_ping = start + 40s;
  activity.last_received = start + 44s;
  const LinkDecision decision = HeartbeatPolicy().decide(activity, start + 46s);
  CHECK(decision.verdict == LinkVerdict::alive);
  CHECK(decision.look_again == start + 55s);
}

TEST_CASE("a peer that talks but reads nothing is dead too") {
  LinkActivity stuck = fresh();
  stuck.last_received = start + 44s;
  stuck.last_ping = start + 44s;
  stuck.writing_since = start;
  const HeartbeatPolicy policy;
  CHECK(policy.decide(stuck, start + 44s).verdict == LinkVerdict::alive);
  CHECK(policy.decide(stuck, start + 44s).look_again == start + 45s);
  CHECK(policy.decide(stuck, start + 45s).verdict == LinkVerdict::not_reading);
}

TEST_CASE("a closing handshake without end is cut, and nothing is pinged after a close frame") {
  LinkActivity closing = fresh();
  closing.closing_since = start + 15s;
  closing.last_received = start + 15s;
  const HeartbeatPolicy policy;
  CHECK(policy.decide(closing, start + 16s).verdict == LinkVerdict::alive);
  CHECK(policy.decide(closing, start + 16s).look_again == start + 20s);
  CHECK(policy.decide(closing, start + 20s).verdict == LinkVerdict::never_closing);
}

TEST_CASE("the next look is never in the past and never later than the next duty") {
  const HeartbeatPolicy policy;
  for (auto now = start; now < start + 60s; now += 250ms) {
    LinkActivity activity = fresh();
    activity.last_ping = start + (now - start) / 2;
    const LinkDecision decision = policy.decide(activity, now);
    CHECK(decision.look_again >= now);
    CHECK(decision.look_again <= now + 15s);
  }
}
