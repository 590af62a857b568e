#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/stuck_mount.hpp"
#include "tests/support/test_network.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

// A process that hangs in the kernel for real: it asked a file system that does not answer.

namespace {

std::ptrdiff_t scratch_directories(const ScriptBench& bench) {
  const std::filesystem::directory_iterator entries(bench.launcher->scratch_area());
  return std::distance(begin(entries), end(entries));
}

std::string output_and_outcome(const Ran& ran) {
  return ran.standard_output + std::string(name_of(ran.result.outcome)) + "\n";
}

/// What the launcher said about such runs while the loop went on.
struct Watch {
  explicit Watch(ScriptBench& bench) {
    bench.launcher->watch_unkillable([this](const UnkillableRun& run) {
      text += (run.is_there ? "held " : "gone, held ") + std::to_string(run.held) + "\n";
    });
  }
  std::string text;
};

bool names_the_cause(const Ran& ran) {
  const std::string error = ran.result.error.value_or("");
  return error.find("did not die") != std::string::npos &&
         error.find("(state D)") != std::string::npos;
}

/// What the launcher does with one such run, with runs beside it, and after it.
std::string story(Engine engine, const StuckMount& mount) {
  ScriptBench bench(engine, ScriptBench::Egress::untried, std::nullopt,
                    identities_of_this_process(3));
  Watch watch(bench);
  const IdentityPool* const pool = bench.launcher->identities();
  const auto leased = [pool] { return pool == nullptr ? 0 : static_cast<int>(pool->taken()); };
  const Policy policy = policy_for(engine);
  RunRequest request = script("echo up; stat " + StuckMount::path());
  request.timeout = time_to_begin;

  const Ran stuck = bench.run(std::move(request), policy);
  std::string told =
      output_and_outcome(stuck) + (names_the_cause(stuck) ? "cause\n" : "no cause\n");
  told += watch.text;
  std::vector<RunRequest> others;
  for (int i = 0; i < 4; ++i) others.push_back(script("echo calm"));
  for (const Ran& ran : bench.run_together(std::move(others), policy))
    told += output_and_outcome(ran);
  const auto held = [&] { return scratch_directories(bench); };
  // The inits of the others may still be on their way out.
  bench.context.restart();
  const bool only_one_has_a_user = eventually([&] {
    bench.context.poll();
    return leased() == (pool == nullptr ? 0 : 1);
  });
  told += "scratch " + std::to_string(held()) + " " + std::to_string(only_one_has_a_user);

  mount.release();
  bench.context.restart();
  const bool all_gone = eventually([&] {
    bench.context.poll();
    return watch.text.find("gone, held 0") != std::string::npos;
  });
  told += all_gone ? "\nall gone" : "\nnot gone";
  return told + ", scratch " + std::to_string(held()) + " leased " + std::to_string(leased());
}

constexpr const char* expected_story =
    "up\ntimed_out\ncause\nheld 1\n"
    "calm\nexited\ncalm\nexited\ncalm\nexited\ncalm\nexited\n"
    "scratch 1 1\nall gone, scratch 0 leased 0";

bool can_hang() {
  return require_layer("fuse", StuckMount::is_possible(), "needs root and /dev/fuse");
}

}  // namespace

TEST_CASE(
    "a run that cannot be killed is told, holds up nobody, and keeps what it has until it is "
    "gone") {
  if (!can_hang()) return;
  // Not nsjail: it cannot make a mount below what it shows read-only, and such a run is refused.
  const Engine engine = GENERATE(Engine::none, Engine::bwrap, Engine::native);
  const StuckMount mount;
  INFO(name_of(engine));
  CHECK(story(engine, mount) == expected_story);
}

TEST_CASE("a run of an unprivileged satellite that cannot be killed is no different") {
  if (!can_hang()) return;
  const Engine engine = GENERATE(Engine::none, Engine::native);
  const StuckMount mount;
  CHECK(as_uid_65532([&] { return story(engine, mount); }) == expected_story);
}

TEST_CASE("a launcher with a run that cannot be killed ends all the same") {
  if (!can_hang()) return;
  const Engine engine = GENERATE(Engine::none, Engine::native);
  const StuckMount mount;
  auto bench = std::make_unique<ScriptBench>(engine);
  RunRequest request = script("stat " + StuckMount::path());
  request.timeout = time_to_begin;
  REQUIRE(names_the_cause(bench->run(std::move(request), policy_for(engine))));
  const pid_t launcher = bench->launcher->pid();
  const std::string area = bench->launcher->scratch_area();
  bench.reset();  // waits for it
  CHECK(read_proc(launcher, "stat").empty());
  CHECK_FALSE(std::filesystem::exists(area));
}
