#include "agent/runtime/process_time.hpp"

#include <catch2/catch.hpp>

using namespace satellite::agent;
using namespace std::chrono_literals;

TEST_CASE("the time of a process goes on from the wall clock at its start, by the steady one") {
  const std::chrono::system_clock::time_point wall(1'800'000'000s);
  const std::chrono::steady_clock::time_point steady(77s);
  const ProcessTime time(wall, steady);
  CHECK(time.at(steady) == 1'800'000'000);
  CHECK(time.at(steady + 24h) == 1'800'000'000 + 86'400);
  CHECK(time.at(steady - 1s) == 1'799'999'999);
}
