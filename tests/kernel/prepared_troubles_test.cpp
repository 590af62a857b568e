#include "tests/support/native_orders.hpp"

#include <signal.h>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <sstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

// What happens to a run that stands ready while nobody needs it, and at the moment it is begun.

namespace {

struct StandingBench : ScriptBench {
  StandingBench() : ScriptBench(Engine::native) {
    policy.resources.max_processes = 1'024;  // counted with neighbouring tests
    keep_prepared(1);
    run(script("true"), policy);
    REQUIRE(wait_until_prepared(1));
  }
  static pid_t first_child(pid_t parent) {
    std::istringstream text(read_proc(parent, "task/" + std::to_string(parent) + "/children"));
    pid_t pid = 0;
    text >> pid;
    return pid;
  }
  /// The process that will be the script.
  pid_t standing() const { return first_child(first_child(launcher->pid())); }

  Policy policy = shipped_default_policy();
};

}  // namespace

TEST_CASE(
    "a signal that was sent to a prepared run before it had a script does not end the script") {
  for (const int signal : {SIGHUP, SIGTERM, SIGUSR1, SIGRTMIN}) {
    StandingBench bench;
    INFO("signal " << signal);
    REQUIRE(bench.standing() > 0);
    REQUIRE(::kill(bench.standing(), signal) == 0);
    const Ran ran = bench.run(script("echo ran"), bench.policy);
    CHECK(ran.result.was_prepared);
    CHECK(ran.result.outcome == Outcome::exited);
    CHECK(ran.standard_output == "ran\n");
  }
}
