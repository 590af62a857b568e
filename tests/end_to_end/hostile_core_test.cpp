// What a core that is wrong, old or hostile can do, beside the cases of core_fault_test; and what
// holds in all of them (fault_scene.hpp).
#include "tests/end_to_end/fault_scene.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <utility>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

std::size_t count_frames(FaultScene& scene, const std::string& type) {
  return scene->core().ledger().frames(type).size();
}

}  // namespace

TEST_CASE("a core that does not answer id and token is given up after the deadline") {
  FaultScene::Options options;
  options.waits_until_connected = false;
  options.scene.environment["CHECKSTACK_SATELLITE_CONNECT_DEADLINE"] = "4";
  options.scene.core.plans.push_back({devcore::Misbehaviour::never_authenticate, 0, {}});
  FaultScene scene(std::move(options));
  scene->wait_for_log(" disconnected ");
  REQUIRE(scene->core().wait_until_authenticated());
  scene.check_recovery();
}

TEST_CASE("messages and members of later versions are ignored, and told once for each kind") {
  FaultScene scene;
  for (int i = 0; i < 50; ++i) {
    scene->core().push_text(R"({"type":"of_the_future","number":)" + std::to_string(i) + "}");
    scene->core().push_text(R"({"type":"of_another_future"})");
  }
  CHECK(scene->run("echo through").standard_output == "through\n");
  CHECK(scene.lines(" message_unknown type=of_the_future") == 1);
  CHECK(scene.lines(" message_unknown type=of_another_future") == 1);
  auto check = shell_check("alive", "echo alive", 1);
  check["ofTheFuture"] = {{"a", 1}};
  scene->core().push_assignments(as_set({check}));
  scene->wait_for_log(" assignments_taken checks=1 added=0 changed=0 ");
  scene.check_well();
  CHECK(scene->core().ledger().counters().authentications == 1);
}

TEST_CASE("frames without end or measure end the connection, and nothing else") {
  const auto misbehaviour =
      GENERATE(devcore::Misbehaviour::oversize_frame, devcore::Misbehaviour::endless_fragments);
  FaultScene scene;
  scene->core().misbehave(misbehaviour);
  scene.wait_for_lines(" disconnected ", 1);
  scene.check_well();
  scene.check_recovery();
}

TEST_CASE("a flood of frames that make no sense fills neither the log nor the memory") {
  FaultScene scene;
  const auto kind = GENERATE(as<std::string>{}, "no JSON at all", R"({"type":"sandbox_policy")",
                             R"({"type":"run_script","runId":5})");
  for (int i = 0; i < 2'000; ++i) scene->core().push_text(kind);
  CHECK(scene->run("echo through").standard_output == "through\n");
  CHECK(scene.lines(" frame_invalid ") <= 12);
  CHECK(scene.lines(" policy_invalid ") <= 12);
  scene.check_well();
  CHECK(scene->core().ledger().counters().authentications == 1);
}

TEST_CASE("intervals of nothing, of less and of for ever are held within bounds") {
  const std::vector<json> checks{
      shell_check("alive", "echo alive", 1), shell_check("zero", "echo zero", 0),
      shell_check("negative", "echo negative", -5), shell_check("tiny", "echo tiny", 1e-9),
      shell_check("endless", "echo endless", 1e300)};
  FaultScene::Options options;
  options.scene = with_checks(checks);
  const auto begun = std::chrono::steady_clock::now();
  FaultScene scene(std::move(options));
  nth_result(scene.scene(), "alive", 5);
  const auto seconds =
      std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - begun).count();
  for (const char* id : {"zero", "negative", "tiny"}) {
    INFO(id);
    // The first one comes at a moment of its own; a rejected one has one result.
    CHECK(results_of(scene.scene(), id).size() <= static_cast<std::size_t>(seconds) + 3);
  }
  scene.check_well();
}

TEST_CASE("a hundred thousand assignments are refused together, and those in force go on") {
  FaultScene scene;
  std::string set = "[";
  for (int i = 0; i < 100'000; ++i) {
    set += (i == 0 ? R"({"configId":"c)" : R"(,{"configId":"c)") + std::to_string(i);
    set += R"(","systemId":"s","strategyId":"healthcheck-script.script","intervalSeconds":60})";
  }
  scene->core().push_assignments(set + ']');
  scene.wait_for_lines("$.assignments: ", 1);
  CHECK(scene.lines("20000") == 1);
  scene.check_well();
  CHECK(scene->run("echo through").standard_output == "through\n");
  CHECK(scene->core().ledger().counters().authentications == 1);
  scene.check_recovery();
}

TEST_CASE("a policy that comes while a run goes on holds for the next one") {
  FaultScene scene;
  auto message = script("echo started; sleep 1; ulimit -n");
  const std::string id = message.run_id.text;
  scene->core().dispatch(std::move(message));
  REQUIRE(scene->core().wait_output(id, 8));
  std::string tighter = default_policy;
  tighter.replace(tighter.find("1024"), 4, "77");
  scene->core().push_policy(tighter);
  const auto old_run = scene->core().wait_finished(id);
  REQUIRE(old_run);
  CHECK(old_run->standard_output == "started\n1024\n");
  CHECK(scene->run("ulimit -n").standard_output == "77\n");
  scene.check_well();
}

TEST_CASE("a core that never acknowledges costs what the operator gave, and hears what it lost") {
  FaultScene::Options options;
  options.scene.core.acknowledge = false;
  options.scene.environment["CHECKSTACK_SATELLITE_OUTBOX_COUNT"] = "16";
  std::vector<json> checks;
  for (int i = 0; i < 8; ++i) checks.push_back(shell_check("c" + std::to_string(i), "true", 1));
  checks.push_back(shell_check("alive", "echo alive", 1));
  options.scene.core.assignments = as_set(checks);
  FaultScene scene(std::move(options));
  scene.wait_for_lines(" results_dropped ", 1);
  eventually("the core hears of it", [&] {
    const auto errors = scene->core().ledger().frames("strategy_error");
    return std::any_of(errors.begin(), errors.end(), [](const std::string& frame) {
      return frame.find("messages from ") != std::string::npos;
    });
  });
  scene.check_well();
}

TEST_CASE("a cancellation for a run that nobody knows, or that is over, changes nothing") {
  FaultScene scene;
  auto message = script("echo done");
  const std::string id = message.run_id.text;
  scene->run(std::move(message));
  const std::size_t ends = count_frames(scene, "script_finished");
  for (int i = 0; i < 3; ++i) {
    scene->core().cancel(id, "late");
    scene->core().cancel("never-heard-of", "early");
  }
  CHECK(scene->run("echo through").standard_output == "through\n");
  CHECK(count_frames(scene, "script_finished") == ends + 1);
  scene.check_well();
}

TEST_CASE("two satellites with one id do not displace each other all the time") {
  FaultScene scene;
  for (std::uint64_t connection = 1; connection <= 3; ++connection) {
    REQUIRE(scene->core().wait_until_authenticated(devcore::DevCore::patience, connection));
    scene->core().misbehave(devcore::Misbehaviour::displace);
    scene.wait_for_lines(" disconnected ", connection);
  }
  scene->wait_for_log(" duplicate_identity ");
  // Minutes, where a core that restarts has it back within seconds.
  const auto waits_for_minutes = [&] {
    const std::string log = scene->satellite().log();
    const auto last = log.rfind(" reconnect_waits ");
    const std::string line = log.substr(last, log.find('\n', last) - last);
    return line.find(" in=5m") != std::string::npos || line.find(" in=6m") != std::string::npos;
  };
  eventually("it waits for minutes", waits_for_minutes);
  scene.check_well();
}
