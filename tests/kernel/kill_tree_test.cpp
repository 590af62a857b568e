#include "tests/support/script_bench.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch.hpp>
#include <optional>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

namespace asio = boost::asio;

}  // namespace

TEST_CASE("a script that ignores TERM is killed after the grace and keeps its output") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  RunRequest request = script("trap '' TERM; echo before; while :; do sleep 0.05; done");
  request.timeout = time_to_begin;
  const Ran ran = bench.run(std::move(request), policy_for(engine));
  CHECK(ran.result.outcome == Outcome::timed_out);
  CHECK(ran.result.exit_code == -1);
  CHECK(ran.standard_output == "before\n");
  CHECK(ran.result.duration >= time_to_begin + bench.settings.grace);
  CHECK(ran.result.duration < 60s);
}

TEST_CASE("a script that obeys TERM ends within the grace and may say a last word") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  bench.settings.grace = 60s;
  RunRequest request =
      script("trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.02; done");
  request.timeout = time_to_begin;
  const Ran ran = bench.run(std::move(request), policy_for(engine));
  CHECK(ran.result.outcome == Outcome::timed_out);
  CHECK(ran.standard_output == "ready\nbye\n");
  CHECK(ran.result.duration < time_to_begin + bench.settings.grace);
}

TEST_CASE("nothing that a script started is alive when its result is there") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const std::string marker = unique_marker();
  Listener listener;
  int seen_alive = 0;
  listener.on_output = [&](const std::string&) {
    // Within its exec the daemon has no command line to be seen by.
    CHECK(eventually([&] { return (seen_alive = count_processes(marker)) >= 2; }));
    bench.put_in_scratch("seen");
  };
  // A daemon by the book: two forks and a session of its own, its streams closed.
  const std::string daemon =
      "setsid sh -c 'setsid sh -c \"touch up; exec sleep " + marker +
      "\" </dev/null >/dev/null 2>&1 &' & "
      "until [ -e up ]; do sleep 0.01; done; echo ready; until [ -e seen ]; do sleep 0.01; done; ";
  SECTION("after a normal end") {
    const Ran ran = bench.run(script(daemon), policy_for(engine), listener);
    CHECK(ran.result.outcome == Outcome::exited);
  }
  SECTION("after a timeout") {
    RunRequest request = script(daemon + "sleep 1000");
    request.timeout = time_to_begin;
    const Ran ran = bench.run(std::move(request), policy_for(engine), listener);
    CHECK(ran.result.outcome == Outcome::timed_out);
  }
  CHECK(seen_alive >= 2);  // the script itself and the daemon
  CHECK(count_processes(marker) == 0);
}

TEST_CASE("a background child that holds the pipe neither delays nor changes a success") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const std::string marker = unique_marker();
  const Ran ran = bench.run(script("sleep " + marker + " & echo done"), policy_for(engine));
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(ran.result.exit_code == 0);
  CHECK(ran.standard_output == "done\n");
  CHECK(ran.result.duration < 20s);
  CHECK(count_processes(marker) == 0);
}

TEST_CASE("a fork bomb stays bounded and dies whole") {
  // Without a wrapper RLIMIT_NPROC counts all processes of the user, so the script needs its own.
  const Engine engine = is_root() ? each_engine() : Engine::bwrap;
  std::optional<IdentityRange> own;
  if (is_root()) own = identities_of_this_process(1);
  ScriptBench bench(engine, ScriptBench::Egress::untried, std::nullopt, own);
  Policy policy = policy_for(engine);
  policy.resources.max_processes = 64;
  const std::string marker = unique_marker();
  Listener listener;
  int peak = 0, counted_near_limit = 0;
  // Without a limit it would be far above by the last of these; then its neighbours need the
  // processors.
  listener.on_output = [&](const std::string&) {
    peak = std::max(peak, count_processes(marker));
    if (peak >= 40 && ++counted_near_limit == 10) bench.cancel->cancel();
  };
  RunRequest request =
      script("b() { echo x; b | b & b; }; b & : " + marker + "; while :; do :; done");
  request.timeout = time_to_begin;
  const Ran ran = bench.run(std::move(request), policy, listener);
  CHECK(ran.result.error.value_or("none") == "none");
  CHECK(ran.result.outcome != Outcome::setup_failed);
  CHECK(ran.result.duration < 120s);  // the bomb has all processors for itself
  CHECK(peak > 0);
  CHECK(peak <= 70);  // the limit, and what is not the bomb's: wrapper and init
  CHECK(count_processes(marker) == 0);
}

TEST_CASE("a run that comes before the host is known waits, and can be cancelled meanwhile") {
  ScriptBench bench;
  Runner runner(bench.context, *bench.launcher, bench.settings);
  Listener listener;
  std::optional<RunResult> result;
  asio::co_spawn(
      bench.context,
      runner.run(script("echo here"), {shipped_default_policy(), false}, listener, *bench.cancel),
      [&](const std::exception_ptr& thrown, RunResult ended) {
        if (thrown) std::rethrow_exception(thrown);
        result = std::move(ended);
        bench.context.stop();
      });
  // When no handler is ready any more, the run waits for the facts of the host.
  while (bench.context.poll() > 0) {
  }
  CHECK_FALSE(result.has_value());
  CHECK_FALSE(listener.report.has_value());
  SECTION("until the host is known") {
    runner.learn(bench.facts);
    bench.context.run();
    CHECK(result->outcome == Outcome::exited);
    CHECK(listener.standard_output == "here\n");
    CHECK(result->sandbox.downgrades.empty());
  }
  SECTION("until it is cancelled") {
    bench.cancel->cancel();
    bench.context.run();
    CHECK(result->outcome == Outcome::cancelled);
    CHECK_FALSE(listener.report.has_value());
    CHECK_FALSE(result->sandbox.enforced.filesystem);
  }
}

TEST_CASE("a run that waits until ways out are tried can be cancelled meanwhile") {
  ScriptBench bench;
  Policy policy = shipped_default_policy();
  policy.network.mode = NetworkMode::allowlist;
  policy.network.allow = {"192.0.2.1"};
  // A launcher that does not answer, as on a host that is stuck.
  const pid_t launcher = bench.launcher->pid();
  REQUIRE(::kill(launcher, SIGSTOP) == 0);
  asio::steady_timer soon(bench.context, 100ms);
  soon.async_wait([&](const boost::system::error_code&) { bench.cancel->cancel(); });
  const auto begun = std::chrono::steady_clock::now();
  const Ran ran = bench.run(script("echo never"), policy);
  const auto took = std::chrono::steady_clock::now() - begun;
  REQUIRE(::kill(launcher, SIGCONT) == 0);
  CHECK(ran.result.outcome == Outcome::cancelled);
  CHECK(ran.standard_output.empty());
  CHECK(took < 15s);  // a trial takes 20 before it is given up
}

TEST_CASE("a run that is cancelled before it begins never starts") {
  ScriptBench bench;
  bench.cancel->cancel();
  const Ran ran = bench.run(script("echo never"), policy_for(Engine::native));
  CHECK(ran.result.outcome == Outcome::cancelled);
  CHECK_FALSE(ran.report.has_value());
  CHECK(ran.standard_output.empty());
}

TEST_CASE("a run that is cancelled during its set-up ends at once and leaves nothing") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const std::string marker = unique_marker();
  asio::post(bench.context, [&] { bench.cancel->cancel(); });
  const Ran ran = bench.run(script("sleep " + marker), policy_for(engine));
  CHECK(ran.result.outcome == Outcome::cancelled);
  CHECK(count_processes(marker) == 0);
}

TEST_CASE("a run that is cancelled while it runs keeps its output") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const std::string marker = unique_marker();
  Listener listener;
  listener.on_output = [&](const std::string&) { bench.cancel->cancel(); };
  const Ran ran = bench.run(script("echo begun; sleep " + marker), policy_for(engine), listener);
  CHECK(ran.result.outcome == Outcome::cancelled);
  CHECK(ran.standard_output == "begun\n");
  CHECK(count_processes(marker) == 0);
}

TEST_CASE("cancelling after the end changes nothing") {
  ScriptBench bench;
  const Ran ran = bench.run(script("exit 5"), policy_for(Engine::native));
  bench.cancel->cancel();
  bench.cancel->cancel();
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(ran.result.exit_code == 5);
}

TEST_CASE("a timeout kills the script while its output is not being taken") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const std::string marker = unique_marker();
  Listener listener;
  bool died_meanwhile = false;
  asio::steady_timer pause(bench.context);
  listener.before_taking = [&]() -> asio::awaitable<void> {
    constexpr auto token = asio::as_tuple(asio::use_awaitable);
    for (int i = 0; i < 2'000 && !died_meanwhile; ++i) {
      pause.expires_after(5ms);
      co_await pause.async_wait(token);
      died_meanwhile = count_processes(marker) == 0;
    }
  };
  RunRequest request = script("trap '' TERM; yes " + marker);
  request.timeout = time_to_begin;
  const Ran ran = bench.run(std::move(request), policy_for(engine), listener);
  CHECK(died_meanwhile);
  CHECK(ran.result.outcome == Outcome::timed_out);
}
