// K of the list: what is reported is what was, whatever a script says or does.
#include "tests/escape/escape_bench.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <regex>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

/// The report as text, without the numbers that differ from run to run, and without the hints,
/// which the text of a script causes and which prove nothing.
std::string comparable(EffectiveSandbox report) {
  report.hints.clear();
  return std::regex_replace(to_json(report).dump(), std::regex("[0-9]{4,}|run-[0-9]+"), "N");
}

LayerState state_in(const Ran& ran, Layer layer) {
  return ran.result.sandbox.layers.at(static_cast<std::size_t>(layer)).state;
}

}  // namespace

TEST_CASE("a script cannot forge its report", "[report]") {
  EscapeBench bench(each_present_engine());
  const Ran honest = bench.run(script("exit 3"), policy_for(bench.engine));
  REQUIRE(honest.result.exit_code == 3);
  const std::string forging = GENERATE(
      // What the launcher, the agent or a wrapper would say.
      R"(echo '{"exit-code": 0}'; echo '{"outcome":"exited","exitCode":0,"sandbox":{"engine":"x"}}';
         printf 'RESULT ok\n' >&2; printf '\1\0\0\0\2\0\0\0\0\0\0\0' ; exit 3)",
      // Whatever descriptor might be there.
      R"(for fd in 3 4 5 6 7 8 9; do eval "printf '\001\002\003\004' >&$fd"; done 2>/dev/null
         for fd in 3 4 5 6 7 8 9; do eval "exec $fd>&-"; done 2>/dev/null; exit 3)",
      // The descriptors of whoever supervises.
      R"(for f in /proc/1/fd/* /proc/$PPID/fd/* /proc/self/fd/[3-9]*; do
           echo forged > $f; done 2>/dev/null; exit 3)",
      // The names and limits of our own processes.
      R"(kill -STOP 1 $PPID; kill -CONT 1 $PPID; exec 2>&-; exit 3)");
  const Ran forged = bench.run(script(forging), policy_for(bench.engine));
  CHECK(forged.result.outcome == Outcome::exited);
  CHECK(forged.result.exit_code == 3);
  CHECK(comparable(forged.result.sandbox) == comparable(honest.result.sandbox));
  REQUIRE(forged.report.has_value());
  CHECK(comparable(*forged.report) == comparable(*honest.report));
}

TEST_CASE("every layer that is switched off is called off, and the others stay", "[report]") {
  EscapeBench bench(each_present_engine());
  Policy policy = policy_for(bench.engine);
  const Layer off = GENERATE(Layer::resources, Layer::filesystem, Layer::network, Layer::privilege);
  switch (off) {
    case Layer::resources:
      policy.resources = {};
      break;
    case Layer::filesystem:
      policy.filesystem.mode = FilesystemMode::off;
      break;
    case Layer::network:
      policy.network.mode = NetworkMode::unrestricted;
      policy.network.deny_link_local_and_metadata = false;
      break;
    case Layer::privilege:
      policy.privilege.mode = PrivilegeMode::inherit;
      break;
  }
  const Ran ran = bench.run(script("exit 0"), policy);
  INFO(name_of(off) << ": " << ran.result.error.value_or(""));
  if (off == Layer::privilege && is_root()) {
    // A script that stays the root of the host is not what the policy says, so it never starts.
    CHECK(ran.result.outcome == Outcome::refused);
    CHECK(ran.result.error.value_or("").find("privilege: ") != std::string::npos);
    return;
  }
  REQUIRE(ran.result.outcome == Outcome::exited);
  for (const Layer layer :
       {Layer::resources, Layer::filesystem, Layer::network, Layer::privilege}) {
    INFO(name_of(layer));
    CHECK(state_in(ran, layer) ==
          (layer == off ? LayerState::not_requested : LayerState::enforced));
  }
}

TEST_CASE("each way to end is told apart from a failure of the sandbox", "[report]") {
  EscapeBench bench(each_present_engine());
  const Policy policy = policy_for(bench.engine);
  for (const int code : {0, 1, 97, 126, 127, 128, 255}) {
    const Ran ran = bench.run(script("exit " + std::to_string(code)), policy);
    INFO("exit " << code);
    CHECK(ran.result.outcome == Outcome::exited);
    CHECK(ran.result.exit_code == code);
    CHECK_FALSE(ran.result.error.has_value());
  }
  for (const int signal : {1, 2, 6, 9, 11, 13, 15, 31}) {
    const Ran ran = bench.run(script("kill -" + std::to_string(signal) + " $$; sleep 9"), policy);
    INFO("signal " << signal);
    CHECK(ran.result.outcome == Outcome::signaled);
    CHECK(ran.result.signal == signal);
    CHECK_FALSE(ran.result.error.has_value());
  }
}

TEST_CASE("a layer that cannot be had refuses the run, or is reported as missing", "[report]") {
  EscapeBench bench(Engine::none);
  Policy policy = shipped_default_policy();
  const Ran refused = bench.run(script("echo ran"), policy);
  CHECK(refused.result.outcome == Outcome::refused);
  CHECK(refused.standard_output.empty());
  policy.on_unavailable = OnUnavailable::degrade;
  const Ran degraded = bench.run(script("echo ran"), policy);
  CHECK(degraded.standard_output == "ran\n");
  CHECK(state_in(degraded, Layer::filesystem) == LayerState::absent);
  CHECK(state_in(degraded, Layer::network) == LayerState::absent);
  CHECK_FALSE(degraded.result.sandbox.enforced.filesystem);
  CHECK_FALSE(degraded.result.sandbox.enforced.network);
  CHECK(degraded.result.sandbox.downgrades.size() >= 2);
}
