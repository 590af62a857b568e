#include "agent/intake/policy_age.hpp"

#include <catch2/catch.hpp>

using namespace satellite::agent;
using namespace std::chrono_literals;

TEST_CASE("a policy does not age while the connection lasts on which the core stated it") {
  PolicyAge age(60s);
  age.stated();
  CHECK_FALSE(age.expired(1'000h));
  CHECK(age.age(1'000h) == 0s);
  age.connection_lost(1'000h);
  CHECK(age.age(1'000h + 30s) == 30s);
  CHECK_FALSE(age.expired(1'000h + 59s));
  CHECK(age.expired(1'000h + 60s));
  CHECK(age.expires_at() == 1'000h + 60s);
}

TEST_CASE("a connection on which the core says nothing of its policy does not make it younger") {
  PolicyAge age(60s);
  age.stated();
  age.connection_lost(100s);
  // Connected from 110 to 150 seconds, without a word about a policy.
  age.connection_lost(150s);
  CHECK(age.expired(160s));
  age.stated();
  CHECK_FALSE(age.expired(160s));
}

TEST_CASE("a policy of an earlier process is as old as it was") {
  PolicyAge age(60s);
  age.restored(1'000s, 50s);
  CHECK(age.age(1'005s) == 55s);
  CHECK_FALSE(age.expired(1'009s));
  CHECK(age.expired(1'010s));
}

TEST_CASE("without a limit a policy holds for as long as the process lives") {
  PolicyAge age(0s);
  age.stated();
  age.connection_lost(0s);
  CHECK_FALSE(age.expired(100'000h));
  CHECK_FALSE(age.expires_at());
}
