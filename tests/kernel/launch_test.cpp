#include "tests/support/script_bench.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

TEST_CASE("a script's exit code arrives exactly") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const int code = GENERATE(0, 1, 3, 126, 127, 128, 137, 143, 255);
  const Ran ran = bench.run(script("exit " + std::to_string(code)), policy_for(engine));
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(ran.result.exit_code == code);
  CHECK_FALSE(ran.result.signal.has_value());
  CHECK(ran.result.sandbox.engine == name_of(engine));
}

TEST_CASE("death by a signal is told apart from an exit code of the same number") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const int signal = GENERATE(1, 6, 9, 11, 15);
  const Ran ran = bench.run(script("kill -" + std::to_string(signal) + " $$"), policy_for(engine));
  CHECK(ran.result.outcome == Outcome::signaled);
  CHECK(ran.result.signal == signal);
  CHECK(ran.result.exit_code == 128 + signal);
}

TEST_CASE("both output streams arrive complete and apart, whatever the bytes") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const Ran ran = bench.run(script("head -c 200001 /dev/zero | tr '\\0' '\\377'; "
                                   "printf 'a\\000b\\200\\342\\202'; echo problem >&2"),
                            policy_for(engine));
  CHECK(ran.result.outcome == Outcome::exited);
  const std::string expected = std::string(200'001, '\377') + std::string("a\0b\200\342\202", 6);
  CHECK(ran.standard_output == expected);
  CHECK(ran.standard_error == "problem\n");
  CHECK(ran.result.bytes_standard_output == ByteCount{expected.size()});
  CHECK(ran.result.bytes_standard_error == ByteCount{8});
  CHECK_FALSE(ran.result.output_truncated);
}

TEST_CASE("standard input is the given text, and nothing when none is given") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  RunRequest with_text = script("read first; echo \"$first\"; wc -c");
  with_text.has_standard_input = true;
  with_text.standard_input = "line one\n" + std::string(1'000'000, 'x');
  CHECK(bench.run(std::move(with_text), policy_for(engine)).standard_output ==
        "line one\n1000000\n");
  CHECK(bench.run(script("wc -c; cat /dev/stdin"), policy_for(engine)).standard_output == "0\n");
}

TEST_CASE("the environment arrives exactly as it was given") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  RunRequest request = script("cat /proc/self/environ");
  request.environment = {{"PLAIN", "a b\nc"}, {"EMPTY", ""}, {"QUOTES", "'\"$HOME`id`"}};
  const Ran ran = bench.run(std::move(request), policy_for(engine));
  const std::string environment = std::string(1, '\0') + ran.standard_output;
  for (const std::string entry : {"PLAIN=a b\nc", "EMPTY=", "QUOTES='\"$HOME`id`"}) {
    const std::string whole = std::string(1, '\0') + entry + std::string(1, '\0');
    CHECK(environment.find(whole) != std::string::npos);
  }
  CHECK(environment.find("SATELLITE_") == std::string::npos);
}

TEST_CASE("a script may be longer than one argument can be, and sees no difference") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const std::string padding = ": " + std::string(300'000, 'x') + "\n";
  const std::string text = "echo \"$0 $#\"; ls /proc/self/fd; cat; exit 7";
  const Ran longer = bench.run(script(padding + text), policy_for(engine));
  const Ran shorter = bench.run(script(text), policy_for(engine));
  CHECK(longer.result.exit_code == 7);
  CHECK(longer.standard_output == shorter.standard_output);
  CHECK(longer.standard_output == "sh 0\n0\n1\n2\n3\n");  // 3 is the listing of ls itself
  CHECK(longer.standard_error.empty());
}

TEST_CASE("only the three standard descriptors are open, whatever the agent has open") {
  const Engine engine = each_engine();
  REQUIRE(::dup2(STDERR_FILENO, 500) == 500);  // on purpose without O_CLOEXEC
  ScriptBench bench(engine);
  REQUIRE(::dup2(STDERR_FILENO, 501) == 501);
  const Ran ran = bench.run(script("ls /proc/$$/fd; true"), policy_for(engine));
  CHECK(ran.standard_output == "0\n1\n2\n");
  ::close(500);
  ::close(501);
}

TEST_CASE("a script can open its streams by name") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const Ran ran =
      bench.run(script("echo one > /dev/stdout; echo two > /dev/stderr"), policy_for(engine));
  CHECK(ran.standard_output == "one\n");
  CHECK(ran.standard_error == "two\n");
}

TEST_CASE("a script starts in its scratch directory, or where it was asked to") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const Ran in_scratch = bench.run(script("pwd; touch here && ls; umask"), policy_for(engine));
  CHECK(in_scratch.standard_output.starts_with(bench.launcher->scratch_area() + "/run-"));
  CHECK(in_scratch.standard_output.ends_with("\nhere\n0077\n"));
  RunRequest elsewhere = script("pwd");
  elsewhere.working_directory = "/usr/bin";
  CHECK(bench.run(std::move(elsewhere), policy_for(engine)).standard_output == "/usr/bin\n");
}

TEST_CASE("signals are neither blocked nor ignored in a script") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const Ran ran =
      bench.run(script("grep -E '^Sig(Blk|Ign)' /proc/self/status"), policy_for(engine));
  CHECK(ran.standard_output == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("what a run used is counted, children included") {
  const Engine engine = each_engine();
  ScriptBench bench(engine);
  const Ran ran = bench.run(script("head -c 30000000 /dev/zero | cksum"), policy_for(engine));
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK(ran.result.usage.cpu_user + ran.result.usage.cpu_system > std::chrono::milliseconds(1));
  CHECK(ran.result.usage.resident_max > ByteCount{200U << 10U});
  CHECK(ran.result.duration >= std::chrono::milliseconds(1));
}

TEST_CASE("a switched-off policy runs the script as the agent itself, without any layer") {
  ScriptBench bench(Engine::native, ScriptBench::Egress::untried, std::nullopt, std::nullopt,
                    RootScripts::allowed);
  Policy off = shipped_default_policy();
  off.enabled = false;
  const Ran ran = bench.run(
      script("id -u; grep NoNewPrivs /proc/self/status; readlink /proc/self/ns/net"), off);
  char own[64] = {};
  REQUIRE(::readlink("/proc/self/ns/net", own, sizeof(own) - 1) > 0);
  CHECK(ran.standard_output == std::to_string(::geteuid()) + "\nNoNewPrivs:\t0\n" + own + "\n");
  CHECK(ran.report->engine == "none");
}
