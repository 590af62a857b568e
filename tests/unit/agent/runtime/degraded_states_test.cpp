#include "agent/runtime/degraded_states.hpp"

#include <catch2/catch.hpp>

using namespace satellite::agent;
using namespace std::chrono_literals;

namespace {
const DegradedStates::Time begun{1'000s};
}  // namespace

TEST_CASE("each subject has one degraded state, which keeps its begin until its name changes") {
  DegradedStates states;
  CHECK(states.all().empty());
  states.enter("policy", "policy_expired", "away", begun + 5s);
  states.enter("outbox", "disk_full", "no space", begun);
  states.enter("outbox", "disk_full", "still no space", begun + 60s);
  CHECK(states.all() == std::vector<DegradedState>{{"disk_full", "still no space", begun},
                                                   {"policy_expired", "away", begun + 5s}});
  states.enter("outbox", "disk_read_only", "now that", begun + 90s);
  REQUIRE(states.find("outbox") != nullptr);
  CHECK(states.find("outbox")->since == begun + 90s);
  states.leave("outbox");
  states.leave("outbox");
  CHECK(states.find("outbox") == nullptr);
  CHECK(states.all().size() == 1);
}
