#include "tests/support/native_orders.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/temp_dir.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <set>
#include <sstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
using namespace std::chrono_literals;

// Runs that stand ready, as the satellite keeps them.

namespace {

struct PreparedBench : ScriptBench {
  explicit PreparedBench(std::optional<IdentityRange> identities = std::nullopt,
                         std::size_t count = 4)
      : ScriptBench(Engine::native, Egress::untried, std::nullopt, identities) {
    policy.resources.max_processes = 1'024;  // counted with neighbouring tests
    keep_prepared(count);
  }
  Ran run_prepared(RunRequest request) {
    REQUIRE(wait_until_prepared(1));
    Ran ran = run(std::move(request), policy);
    CHECK(ran.result.was_prepared);
    return ran;
  }
  std::vector<pid_t> children() const {
    std::istringstream text(
        read_proc(launcher->pid(), "task/" + std::to_string(launcher->pid()) + "/children"));
    std::vector<pid_t> pids;
    for (pid_t pid = 0; text >> pid;) pids.push_back(pid);
    return pids;
  }

  Policy policy = shipped_default_policy();
};

/// Numbers differ between any two runs.
std::string without_numbers(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

std::string layers_and_notes(const Ran& ran) {
  std::string text;
  for (const auto& layer : ran.result.sandbox.layers) {
    text += std::string(name_of(layer.layer)) + " " + std::string(name_of(layer.state)) + " " +
            layer.mechanism + " " + layer.evidence + "\n";
  }
  for (const auto& note : ran.result.sandbox.notes) text += note.note + "\n";
  return text;
}

RunRequest everything_asked_for() {
  RunRequest request = script(
      "id -u; pwd; cat; echo \"$GIVEN $#\"; echo err >&2; ls / /tmp; ulimit -n; "
      "echo written >file && cat file; exit 7");
  request.environment = {{"GIVEN", "value"}};
  request.secret_environment.emplace("HIDDEN", Secret("abcdefgh12345"));
  request.has_standard_input = true;
  request.standard_input = "input\n";
  return request;
}

}  // namespace

TEST_CASE("a script cannot tell whether its run was prepared, and neither can its report") {
  PreparedBench bench;
  const Ran cold = bench.run(everything_asked_for(), bench.policy);
  REQUIRE(cold.result.exit_code == 7);
  CHECK_FALSE(cold.result.was_prepared);
  const Ran warm = bench.run_prepared(everything_asked_for());
  CHECK(warm.result.outcome == Outcome::exited);
  CHECK(warm.result.exit_code == 7);
  CHECK(without_numbers(warm.standard_output) == without_numbers(cold.standard_output));
  CHECK(warm.standard_error == cold.standard_error);
  CHECK(layers_and_notes(warm) == layers_and_notes(cold));
  CHECK(warm.result.sandbox.enforced == EnforcedLayers{true, true, true, true});
  CHECK(warm.result.sandbox.downgrades.empty());
}

TEST_CASE("a script too long for an argument and one that is killed end as always") {
  PreparedBench bench;
  bench.run(script("true"), bench.policy);
  const Ran lengthy = bench.run_prepared(
      script("#" + std::string(300'000, 'x') + "\nls /proc/self/fd | wc -l; echo $0"));
  CHECK(lengthy.standard_output == "4\nsh\n");
  RunRequest endless = script("echo begun; sleep 600");
  endless.timeout = time_to_begin;
  const Ran stopped = bench.run_prepared(std::move(endless));
  CHECK(stopped.result.outcome == Outcome::timed_out);
  CHECK(stopped.standard_output == "begun\n");
  const Ran signaled = bench.run_prepared(script("kill -KILL $$"));
  CHECK(signaled.result.signal == SIGKILL);
  const Ran missing = bench.run_prepared(script("exec /nonexistent"));
  CHECK(missing.result.exit_code == 127);
}

TEST_CASE("each prepared run is used once: nothing of one is seen by the next") {
  PreparedBench bench;
  bench.run(script("true"), bench.policy);
  std::set<std::string> places;
  for (int i = 0; i < 4; ++i) {
    const Ran ran = bench.run_prepared(
        script("pwd; ls -A; ls -A /tmp | grep -v csat; touch /tmp/mark mark /dev/shm/mark; "
               "ls -A /dev/shm"));
    INFO(ran.standard_output);
    CHECK(places.insert(ran.standard_output).second);
    CHECK(std::count(ran.standard_output.begin(), ran.standard_output.end(), '\n') == 2);
    CHECK(ran.standard_output.ends_with("\nmark\n"));
  }
}

TEST_CASE("prepared runs share no namespace with each other") {
  PreparedBench bench;
  const auto two = [] {
    std::vector<RunRequest> requests;
    for (int i = 0; i < 2; ++i) {
      // Both are there at the same time: a number is given again once its namespace is gone.
      requests.push_back(
          script("readlink /proc/self/ns/mnt /proc/self/ns/net /proc/self/ns/ipc "
                 "/proc/self/ns/pid /proc/self/ns/uts; sleep 0.3"));
    }
    return requests;
  };
  std::set<std::string> namespaces;
  for (const Ran& ran : bench.run_together_prepared(two, bench.policy)) {
    CHECK(ran.result.was_prepared);
    std::istringstream lines(ran.standard_output);
    for (std::string line; std::getline(lines, line);) namespaces.insert(line);
  }
  CHECK(namespaces.size() == 10);
}

TEST_CASE("what stands ready for one policy is given up for another") {
  PreparedBench bench;
  bench.run(script("true"), bench.policy);
  REQUIRE(bench.wait_until_prepared(1));
  const auto standing = bench.children();
  Policy other = bench.policy;
  other.resources.max_open_files = 77;
  const Ran ran = bench.run(script("ulimit -n"), other);
  CHECK_FALSE(ran.result.was_prepared);
  CHECK(ran.standard_output == "77\n");
  REQUIRE(bench.wait_until_prepared(1));
  CHECK(eventually([&] {
    const auto now = bench.children();
    return std::ranges::none_of(
        standing, [&](pid_t pid) { return std::count(now.begin(), now.end(), pid) > 0; });
  }));
  const Ran again = bench.run(script("ulimit -n"), other);
  CHECK(again.result.was_prepared);
  CHECK(again.standard_output == "77\n");
}

TEST_CASE("a prepared run that died is replaced, and the script runs once") {
  PreparedBench bench;
  bench.run(script("true"), bench.policy);
  SECTION("before it is asked for") {
    REQUIRE(bench.wait_until_prepared(1));
    for (const pid_t pid : bench.children()) ::kill(pid, SIGKILL);
    // While it is dying it could still be given a script and start it.
    REQUIRE(eventually([&] { return bench.children().empty(); }));
    const Ran ran = bench.run(script("echo once"), bench.policy);
    INFO(ran.result.error.value_or("no error"));
    CHECK(name_of(ran.result.outcome) == name_of(Outcome::exited));
    CHECK(ran.standard_output == "once\n");
  }
  SECTION("at any moment while it takes its task") {
    for (const auto delay : {0us, 50us, 100us, 200us, 300us, 500us, 800us}) {
      PreparedBench one;
      one.run(script("true"), one.policy);
      REQUIRE(one.wait_until_prepared(1));
      boost::asio::steady_timer timer(one.context, delay);
      timer.async_wait([&](const boost::system::error_code&) {
        for (const pid_t pid : one.children()) ::kill(pid, SIGKILL);
      });
      RunRequest request = script("echo once");
      request.timeout = 20s;
      const Ran ran = one.run(std::move(request), one.policy);
      INFO("after " << delay.count() << " us: " << name_of(ran.result.outcome));
      // Killed before the script started, it is replaced by another one; later, the end is
      // reported.
      const bool whole = ran.result.outcome == Outcome::exited && ran.standard_output == "once\n";
      const bool told = ran.result.outcome == Outcome::interrupted;
      CHECK((whole || told));
    }
  }
}

TEST_CASE("a prepared run does not outlive the launcher, nor a runner that is gone") {
  auto bench = std::make_unique<PreparedBench>();
  bench->run(script("true"), bench->policy);
  REQUIRE(bench->wait_until_prepared(1));
  const auto standing = bench->children();
  REQUIRE_FALSE(standing.empty());
  SECTION("the launcher is killed") {
    ::kill(bench->launcher->pid(), SIGKILL);
  }
  SECTION("all of it ends") {
    bench.reset();
  }
  CHECK(eventually([&] {
    return std::ranges::all_of(standing, [](pid_t pid) { return ::kill(pid, 0) != 0; });
  }));
}

TEST_CASE("a host file that changed since is not shown as it was") {
  if (!require_layer("root", is_root(), "only root can put a file over the host's")) return;
  const TempDir files;
  const std::string hosts = files.write("hosts", "192.0.2.7 first\n");
  const pid_t pid = ::fork();
  if (pid == 0) {
    // The launcher, a child of this process, takes its view of the host from it.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(hosts.c_str(), "/etc/hosts", nullptr, MS_BIND, nullptr) != 0) {
      ::_exit(100);
    }
    int problem = 0;
    {
      PreparedBench bench;
      bench.run(script("true"), bench.policy);
      if (!bench.wait_until_prepared(1)) ::_exit(101);
      files.write("hosts", "192.0.2.8 second\n");
      const Ran ran = bench.run(script("head -n 1 /etc/hosts"), bench.policy);
      if (ran.standard_output != "192.0.2.8 second\n") problem = 102;
      if (ran.result.was_prepared) problem = 103;
      if (!bench.wait_until_prepared(1)) problem = 104;
      const Ran next = bench.run(script("head -n 1 /etc/hosts"), bench.policy);
      if (!next.result.was_prepared) problem = 105;
      if (next.standard_output != "192.0.2.8 second\n") problem = 106;
    }
    ::_exit(problem);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("prepared runs have users of their own where runs have") {
  if (!require_layer("root", is_root(), "only root can give a run a user of its own")) return;
  PreparedBench bench(identities_of_this_process(16));
  bench.run(script("true"), bench.policy);
  std::set<std::string> users;
  for (int i = 0; i < 3; ++i) {
    const Ran ran = bench.run_prepared(script("id -u"));
    CHECK(users.insert(ran.standard_output).second);
  }
}

TEST_CASE("as many as were wanted at once stand ready, and no more than are allowed") {
  PreparedBench bench(std::nullopt, 3);
  const auto five = [] {
    std::vector<RunRequest> requests;
    for (int i = 0; i < 5; ++i) requests.push_back(script("echo ran"));
    return requests;
  };
  REQUIRE(bench.run_together_until_prepared(3, five, bench.policy));
  CHECK(eventually([&] { return bench.children().size() == 3; }));
  int prepared = 0;
  for (const Ran& ran : bench.run_together(five(), bench.policy)) {
    CHECK(ran.standard_output == "ran\n");
    prepared += ran.result.was_prepared ? 1 : 0;
  }
  CHECK(prepared == 3);
}

TEST_CASE("without the setting nothing is prepared") {
  PreparedBench bench(std::nullopt, 0);
  bench.run(script("true"), bench.policy);
  bench.context.restart();
  bench.context.run_for(50ms);
  // Only what makes roots and networks for runs to come, and ends.
  CHECK(eventually([&] { return bench.children().empty(); }));
  CHECK_FALSE(bench.run(script("true"), bench.policy).result.was_prepared);
}

TEST_CASE("a prepared run has its control group from the start, and its limits are the run's",
          "[cgroup]") {
  PreparedBench bench;
  if (!require_layer("cgroup", bench.facts.cgroup_memory, "no control groups are delegated"))
    return;
  bench.policy.resources.memory_bytes = 48U << 20U;
  bench.policy.resources.max_processes = 64;
  bench.run(script("true"), bench.policy);
  const Ran small = bench.run_prepared(script("echo fits"));
  CHECK(small.standard_output == "fits\n");
  CHECK(layers_and_notes(small).find("memory.max 50331648") != std::string::npos);
  const Ran large = bench.run_prepared(script("head -c 96M /dev/zero | tail | wc -c"));
  CHECK(large.result.outcome == Outcome::memory_limit);
  // The run that is prepared next has its whole limit.
  const Ran next = bench.run_prepared(script("echo fits"));
  CHECK(next.standard_output == "fits\n");
}
