#include "sandbox/running/limit_reached.hpp"

#include <catch2/catch.hpp>
#include <csignal>

using namespace satellite;
using namespace satellite::sandbox;

namespace {

Plan limited_plan() {
  Plan plan;
  plan.output_size_max = ByteCount{1'000};
  plan.resource_settings = {{Resource::cpu_seconds, 4}, {Resource::file_size, 500}};
  return plan;
}

RunResult ended_by(int signal, std::chrono::microseconds used = {}) {
  RunResult result;
  result.outcome = Outcome::signaled;
  result.signal = signal;
  result.usage.cpu_user = used;
  return result;
}

}  // namespace

TEST_CASE("the limit that ended a run is named with its value") {
  using std::chrono::seconds;
  const Plan plan = limited_plan();
  RunResult flooded;
  flooded.outcome = Outcome::output_limit;
  CHECK(limit_reached(flooded, plan) == "the output limit of 1000 bytes was reached");
  CHECK(limit_reached(ended_by(SIGXCPU, seconds(4)), plan) ==
        "the CPU time limit of 4 seconds was reached");
  CHECK(limit_reached(ended_by(SIGKILL, seconds(4)), plan) ==
        "the CPU time limit of 4 seconds was reached");
  CHECK(limit_reached(ended_by(SIGKILL, seconds(3)), plan) ==
        "ended after 3000 ms of CPU time, most likely by the CPU time limit of 4 seconds");
  CHECK(limit_reached(ended_by(SIGXFSZ), plan) == "the file size limit of 500 bytes was reached");
}

TEST_CASE("no limit is named that did not end the run") {
  using std::chrono::seconds;
  const Plan plan = limited_plan();
  RunResult exited;
  exited.outcome = Outcome::exited;
  exited.usage.cpu_user = seconds(9);  // of several processes, none of which reached it
  CHECK_FALSE(limit_reached(exited, plan).has_value());
  CHECK_FALSE(limit_reached(ended_by(SIGKILL, seconds(1)), plan).has_value());
  CHECK_FALSE(limit_reached(ended_by(SIGXCPU, seconds(1)), plan).has_value());
  CHECK_FALSE(limit_reached(ended_by(SIGSEGV, seconds(4)), plan).has_value());
  CHECK_FALSE(limit_reached(ended_by(SIGXFSZ), Plan{}).has_value());
  CHECK_FALSE(limit_reached(ended_by(SIGKILL, seconds(9)), Plan{}).has_value());
}
