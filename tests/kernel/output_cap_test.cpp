#include "tests/support/script_bench.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

Policy capped_at(Engine engine, std::uint64_t bytes) {
  Policy policy = policy_for(engine);
  policy.resources.max_output_bytes = bytes;
  return policy;
}

}  // namespace

TEST_CASE("output of exactly the cap is not too much") {
  ScriptBench bench;
  const Ran ran = bench.run(script("head -c 70000 /dev/zero; head -c 30000 /dev/zero >&2"),
                            capped_at(Engine::bwrap, 100'000));
  CHECK(ran.result.outcome == Outcome::exited);
  CHECK_FALSE(ran.result.output_truncated);
  CHECK(ran.standard_output.size() + ran.standard_error.size() == 100'000);
}

TEST_CASE("a script that writes more than the cap is killed and exactly the cap is delivered") {
  const Engine engine = GENERATE(from_range(with_nsjail({Engine::none, Engine::bwrap})));
  ScriptBench bench(engine);
  const std::string marker = unique_marker();
  const Ran ran = bench.run(script("yes " + marker), capped_at(engine, 1'000'000));
  CHECK(ran.result.outcome == Outcome::output_limit);
  CHECK(ran.result.output_truncated);
  CHECK(ran.result.exit_code == -1);
  CHECK(ran.standard_output.size() == 1'000'000);
  CHECK(ran.result.bytes_standard_output == ByteCount{1'000'000});
  CHECK(ran.result.bytes_dropped > ByteCount{0});
  CHECK(count_processes(marker) == 0);
}

TEST_CASE("one byte too many is noticed even when the script ended by itself") {
  ScriptBench bench;
  const Ran ran = bench.run(script("head -c 1001 /dev/zero"), capped_at(Engine::bwrap, 1'000));
  CHECK(ran.result.outcome == Outcome::output_limit);
  CHECK(ran.standard_output.size() == 1'000);
  CHECK(ran.result.bytes_dropped == ByteCount{1});
}

TEST_CASE("the cap never cuts a code point in two") {
  ScriptBench bench;
  const Ran ran = bench.run(script("printf 'ab\\342\\202\\254cd'"), capped_at(Engine::bwrap, 4));
  CHECK(ran.result.outcome == Outcome::output_limit);
  CHECK(ran.standard_output == "ab");
}

TEST_CASE("a secret never shows in the output, not even in pieces") {
  ScriptBench bench;
  RunRequest request = script(
      "echo \"at once $TOKEN\"; printf 'in pieces s3cr'; sleep 0.1; printf 'et-value\\n'; "
      "printf '%s' \"$TOKEN\" | base64 >&2");
  request.secret_environment.emplace("TOKEN", Secret("s3cret-value"));
  const Ran ran = bench.run(std::move(request), policy_for(Engine::bwrap));
  CHECK(ran.standard_output == "at once ****\nin pieces ****\n");
  CHECK(ran.standard_error == "****\n");
}
