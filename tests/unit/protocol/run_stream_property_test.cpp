#include "tests/unit/protocol/run_stream_simulation.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

using satellite::tests::simulate_run_stream;

TEST_CASE("whatever the link loses, the core sees every message of a run once and in order") {
  std::mt19937 random(1'772'600'767);
  for (int round = 0; round < 1'000; ++round) {
    std::string choices(random() % 600, ' ');
    for (char& choice : choices) choice = static_cast<char>(random());
    const auto failure = simulate_run_stream(choices, satellite::ByteCount{64U << 10U});
    INFO("round " << round << ": " << failure.value_or(""));
    REQUIRE_FALSE(failure.has_value());
  }
}
