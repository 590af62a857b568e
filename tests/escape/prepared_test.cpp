// What one run could leave in another that stands ready and has its user.
#include "tests/escape/escape_bench.hpp"
#include "tests/support/require_layer.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

using namespace satellite::sandbox;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

Policy without_file_confinement() {
  Policy policy = policy_for(Engine::native);
  policy.filesystem.mode = FilesystemMode::off;
  return policy;
}

bool has_native_engine() {
  return require_layer("native", confining_engines().front() == Engine::native,
                       "the native engine does not work here");
}

/// Writes where interpreters look for code into every directory of another run that it can.
constexpr const char* plant =
    "a=$(dirname $PWD); for n in $(seq 1 80); do d=$a/run-$n; [ $d = $PWD ] && continue; "
    "[ -e $d ] && echo seen; (echo x >$d/usercustomize.py) 2>/dev/null && echo planted; done; true";

}  // namespace

TEST_CASE("a run that others of its user reach is not prepared", "[prepared]") {
  if (!has_native_engine()) return;
  ScriptBench bench(Engine::native);
  bench.keep_prepared(2);
  const Policy policy = without_file_confinement();
  for (int i = 0; i < 2; ++i) {
    const Ran ran = bench.run(script(plant), policy);
    CHECK(ran.result.exit_code == 0);
    CHECK_FALSE(ran.result.was_prepared);
    CHECK(ran.standard_output.empty());  // nobody else's directory is there
    bench.context.restart();
    bench.context.run_for(100ms);
    CHECK(eventually([&] { return std::filesystem::is_empty(bench.launcher->scratch_area()); }));
  }
  // Positive control: with its files confined the same run is prepared.
  bench.run(script("true"), policy_for(Engine::native));
  CHECK(bench.wait_until_prepared(1));
}

TEST_CASE("a run with a user of its own stands ready, and no other can put anything into it",
          "[prepared]") {
  if (!require_layer("root", is_root(), "only root can give a run a user of its own")) return;
  if (!has_native_engine()) return;
  ScriptBench bench(Engine::native, ScriptBench::Egress::untried, std::nullopt,
                    identities_of_this_process(16));
  bench.keep_prepared(2);
  const Policy policy = without_file_confinement();
  const auto two = [] {
    std::vector<RunRequest> requests;
    for (int i = 0; i < 2; ++i) requests.push_back(script("true"));
    return requests;
  };
  REQUIRE(bench.run_together_until_prepared(2, two, policy));
  const Ran planter = bench.run(script(plant), policy);
  INFO(planter.standard_output << planter.standard_error);
  CHECK(planter.result.was_prepared);
  CHECK(planter.standard_output.find("planted") == std::string::npos);
  const Ran victim = bench.run(script("find . -type f"), policy);
  CHECK(victim.result.exit_code == 0);
  CHECK(victim.standard_output.empty());
}

TEST_CASE("a prepared run whose directory somebody wrote to is not used", "[prepared]") {
  if (!has_native_engine()) return;
  ScriptBench bench(Engine::native);
  bench.keep_prepared(1);
  const Policy policy = policy_for(Engine::native);
  bench.run(script("true"), policy);
  REQUIRE(bench.wait_until_prepared(1));
  int planted = 0;
  for (const auto& entry : std::filesystem::directory_iterator(bench.launcher->scratch_area())) {
    // Directories of earlier runs are kept for later ones, without what a script wrote to.
    const auto scratch = entry.path() / "scratch";
    if (!std::filesystem::exists(scratch)) continue;
    std::ofstream(scratch / "usercustomize.py") << "planted";
    ++planted;
  }
  REQUIRE(planted == 1);
  const Ran ran = bench.run(script("find . -type f; echo ran"), policy);
  CHECK(ran.standard_output == "ran\n");
  CHECK_FALSE(ran.result.was_prepared);
  // Positive control: one that nobody touched is used.
  REQUIRE(bench.wait_until_prepared(1));
  CHECK(bench.run(script("echo ran"), policy).result.was_prepared);
}
