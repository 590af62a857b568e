#include "sandbox/running/prepared_runs.hpp"
#include "sandbox/running/run_planner.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"

#include <fcntl.h>
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
  static std::vector<pid_t> children_of(pid_t parent) {
    std::istringstream text(read_proc(parent, "task/" + std::to_string(parent) + "/children"));
    std::vector<pid_t> pids;
    for (pid_t pid = 0; text >> pid;) pids.push_back(pid);
    return pids;
  }
  /// The process that is the script, or will be; an init that is on its way out has none.
  pid_t script_process() const {
    for (const pid_t init : children_of(launcher->pid())) {
      const auto below = children_of(init);
      if (!below.empty()) return below.front();
    }
    return 0;
  }

  Policy policy = shipped_default_policy();
};

}  // namespace

TEST_CASE(
    "a signal that was sent to a prepared run before it had a script does not end the script") {
  for (const int signal : {SIGHUP, SIGTERM, SIGUSR1, SIGRTMIN}) {
    StandingBench bench;
    INFO("signal " << signal);
    const pid_t standing = bench.script_process();
    REQUIRE(standing > 0);
    REQUIRE(::kill(standing, signal) == 0);
    const Ran ran = bench.run(script("echo ran"), bench.policy);
    CHECK(ran.result.was_prepared);
    CHECK(ran.result.outcome == Outcome::exited);
    CHECK(ran.standard_output == "ran\n");
  }
}

TEST_CASE("no process of the same user looks into a run that stands ready") {
  StandingBench bench;
  // Root may look into anything, and under it the script's process has a user of its own.
  if (!require_layer("unprivileged", !is_root(), "nothing is closed to root")) return;
  const auto look_into = [](pid_t pid) {
    return UniqueFd(::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY));
  };
  // It closes right after it was measured.
  const pid_t standing = bench.script_process();
  REQUIRE(standing > 0);
  CHECK(eventually([&] { return !look_into(standing); }));
  CHECK(::kill(standing, 0) == 0);
  // What runs is a program of this user like any other.
  Listener listener;
  bool was_open = false;
  listener.on_output = [&](const std::string&) {
    was_open = bool{look_into(bench.script_process())};
    bench.put_in_scratch("seen");
  };
  const Ran ran = bench.run(script("echo begun; while [ ! -e seen ]; do sleep 0.1; done"),
                            bench.policy, listener);
  CHECK(ran.result.was_prepared);
  CHECK(was_open);
}

TEST_CASE("a prepared run that began is not begun again, nor told as never started") {
  StandingBench bench;
  const std::string marker = unique_marker();
  const pid_t launcher = bench.launcher->pid();
  // No event is handled while this runs: the launcher dies before its record of the start is read,
  // and before it has read a message of ours.
  const auto lose_launcher = [&] {
    CHECK(eventually([&] { return count_processes(marker) > 0; }));
    ::kill(launcher, SIGSTOP);
    static_cast<void>(bench.launcher->start_namespaces(std::nullopt));
    ::kill(launcher, SIGKILL);
    CHECK(eventually([&] { return read_proc(launcher, "stat").find(") Z") != std::string::npos; }));
  };
  // Two turns later: the run has been begun, and nothing that the launcher said of it has been
  // read.
  boost::asio::post(bench.context, [&] { boost::asio::post(bench.context, lose_launcher); });
  const Ran ran = bench.run(script("sleep " + marker), bench.policy);
  INFO(ran.result.error.value_or("no error"));
  CHECK(name_of(ran.result.outcome) == name_of(Outcome::interrupted));
  CHECK(ran.result.was_prepared);
  CHECK(ran.report.has_value());
}

TEST_CASE("what is being prepared gives its user id to a run that finds no other") {
  if (!require_layer("root", is_root(), "only root can give a run a user of its own")) return;
  // As many as two runs at a time need, which is what the settings allow.
  ScriptBench bench(Engine::native, ScriptBench::Egress::untried, std::nullopt,
                    identities_of_this_process(2));
  RunPlanner planner(*bench.launcher, bench.settings);
  planner.facts = bench.facts;
  PreparedMemory memory(256_MiB);
  PreparedRuns prepared(
      bench.context, *bench.launcher, 1, memory,
      [&](const ResolvedPolicy& policy, std::uint64_t number,
          const std::optional<OwnIdentity>& own) {
        return planner.order_without_task(policy, {number, own});
      },
      [](const ResolvedPolicy&) { return OwnIds::of_script; }, [](std::string_view) {});
  IdentityPool& pool = *bench.launcher->identities();
  const auto work_until_taken = [&](std::size_t count) {
    return eventually([&] {
      bench.context.restart();
      if (pool.taken() != count) bench.context.run_one_for(std::chrono::milliseconds(10));
      return pool.taken() == count;
    });
  };
  const ResolvedPolicy policy{shipped_default_policy(), false};
  CHECK_FALSE(prepared.take(policy));
  REQUIRE(work_until_taken(1));  // by what is being made
  const auto other_run = pool.take();
  REQUIRE(other_run);
  CHECK_FALSE(prepared.take(policy));
  CHECK(work_until_taken(1));
}

TEST_CASE("prepared runs stand only within the memory that is set aside for them") {
  ScriptBench bench(Engine::native);
  Policy policy = shipped_default_policy();
  policy.resources.max_processes = 4'096;  // counted with neighbouring tests
  bench.keep_prepared(1);
  bench.run(script("true"), policy);
  REQUIRE(bench.wait_until_prepared(1));
  const ByteCount one = bench.prepared_memory_taken();
  CHECK(one > PreparedMemory::kernel_part);
  bench.settings.prepared_memory = ByteCount{one.value * 5 / 2};
  bench.keep_prepared(4);
  const auto four = [] {
    std::vector<RunRequest> requests;
    for (int i = 0; i < 4; ++i) requests.push_back(script("sleep 0.05"));
    return requests;
  };
  REQUIRE(bench.run_together_until_prepared(2, four, policy));
  CHECK(bench.count_prepared() == 2);
  CHECK(bench.prepared_memory_taken() > 2 * PreparedMemory::kernel_part);
  CHECK(bench.prepared_memory_taken() <= bench.settings.prepared_memory);
  CHECK(bench.run(script("echo ran"), policy).result.was_prepared);
  // One more than fits is not even tried: what one takes is known.
  REQUIRE(bench.wait_until_prepared(2));
  CHECK(bench.count_prepared() == 2);
  CHECK(bench.dropped().empty());
}
