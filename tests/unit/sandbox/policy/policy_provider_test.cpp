#include "sandbox/policy/policy_provider.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

using namespace satellite;
using namespace satellite::sandbox;

TEST_CASE("without a source the policy is the fail-closed one") {
  const auto resolved = PolicyProvider().resolve();
  CHECK(resolved.failed_closed);
  CHECK(resolved.policy == fail_closed_policy());
}

TEST_CASE("a source's policy is in force as it is") {
  PolicyProvider provider;
  provider.register_source([]() -> Result<Policy> { return shipped_default_policy(); });
  const auto resolved = provider.resolve();
  CHECK_FALSE(resolved.failed_closed);
  CHECK(resolved.policy == shipped_default_policy());
}

TEST_CASE("a source that throws or fails closes the sandbox and never widens it") {
  PolicyProvider provider;
  provider.register_source([]() -> Result<Policy> { throw std::runtime_error("away"); });
  CHECK(provider.resolve().failed_closed);
  CHECK(provider.resolve().policy == fail_closed_policy());
  provider.register_source([]() -> Result<Policy> { throw 7; });
  CHECK(provider.resolve().failed_closed);
  provider.register_source([]() -> Result<Policy> {
    return Error{ErrorCode::invalid_input, "no policy"};
  });
  CHECK(provider.resolve().policy == fail_closed_policy());
}

TEST_CASE("the last source registered wins, and a reset closes again") {
  PolicyProvider provider;
  provider.register_source([]() -> Result<Policy> { return Policy{}; });
  Policy second;
  second.network.mode = NetworkMode::deny;
  provider.register_source([second]() -> Result<Policy> { return second; });
  CHECK(provider.resolve().policy == second);
  provider.reset();
  CHECK(provider.resolve().failed_closed);
}

TEST_CASE("a source that recovers is in force again") {
  PolicyProvider provider;
  bool away = true;
  provider.register_source([&away]() -> Result<Policy> {
    if (away) return Error{ErrorCode::unavailable, "away"};
    return shipped_default_policy();
  });
  CHECK(provider.resolve().failed_closed);
  away = false;
  CHECK(provider.resolve().policy == shipped_default_policy());
}
