// How the satellite stops: what runs may end by itself, nothing new begins, everything is said.
#include "tests/end_to_end/check_scene.hpp"

#include <catch2/catch.hpp>
#include <csignal>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

/// Far longer than any of these tests needs.
constexpr const char* long_drain = "300";

Scene::Options with_drain(const std::vector<json>& checks = {}) {
  Scene::Options options = with_checks(checks);
  options.environment["CHECKSTACK_SATELLITE_DRAIN"] = long_drain;
  options.environment["CHECKSTACK_SATELLITE_CONCURRENCY"] = "1";
  return options;
}

/// A script that has begun and ends when `gate` exists.
std::string start_gated(Scene& scene, const std::filesystem::path& gate) {
  auto message =
      script("echo begun; while ! [ -e " + gate.string() + " ]; do sleep 0.02; done; echo done");
  message.timeout = 600s;
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  REQUIRE(scene.core().wait_output(id, 6));
  return id;
}

/// Scripts see the host's files, so that a test can tell one of them to go on.
const char* const host_files_policy = R"({"enabled":true,"onUnavailable":"degrade",
 "resources":{"maxOutputBytes":5242880},"filesystem":{"mode":"off"},
 "network":{"mode":"unrestricted","denyLinkLocalAndMetadata":false},
 "privilege":{"mode":"drop-to-uid"}})";

Scene::Options with_host_files(const std::vector<json>& checks = {}) {
  Scene::Options options = with_drain(checks);
  options.core.policy = host_files_policy;
  options.environment["CHECKSTACK_SATELLITE_ALLOW_UNCONFINED"] = "true";
  return options;
}

std::string last_goodbye(Scene& scene) {
  REQUIRE(scene.core().wait_until_disconnected());
  const auto goodbyes = scene.core().ledger().goodbyes();
  return goodbyes.empty() ? "" : goodbyes.back();
}

/// Until it says something, of what takes ten minutes; its id.
std::string begin_long_run(Scene& scene) {
  auto message = script("echo begun; sleep 600");
  message.timeout = 600s;
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  REQUIRE(scene.core().wait_output(id, 6));
  return id;
}

}  // namespace

TEST_CASE("a run that is under way at SIGTERM ends by itself, and its output and end arrive") {
  const TempDir gates;
  std::filesystem::permissions(gates.path(), std::filesystem::perms::all);
  Scene scene(with_host_files());
  const std::string running = start_gated(scene, gates.path() / "gate");
  auto waiting = script("echo never");
  const std::string waiting_id = waiting.run_id.text;
  scene.core().dispatch(std::move(waiting));
  REQUIRE(scene.core().wait_answered(waiting_id));
  scene.satellite().signal(SIGTERM);
  // What waits for a place does not begin any more, and what comes is turned away.
  const auto unstarted = scene.core().wait_finished(waiting_id);
  REQUIRE(unstarted);
  CHECK(unstarted->finished->outcome == "interrupted");
  CHECK_FALSE(unstarted->started);
  auto late = script("echo late");
  const std::string late_id = late.run_id.text;
  scene.core().dispatch(std::move(late));
  const auto refused = scene.core().wait_answered(late_id);
  REQUIRE(refused);
  REQUIRE(refused->rejected);
  CHECK(refused->rejected->code == protocol::RejectionCode::shutting_down);
  CHECK(scene.satellite().running());
  gates.write("gate", "");
  const auto ended = scene.core().wait_finished(running);
  REQUIRE(ended);
  CHECK(ended->finished->outcome == "exited");
  CHECK(ended->standard_output == "begun\ndone\n");
  CHECK(scene.satellite().wait() == 0);
  CHECK(last_goodbye(scene).find("1001") != std::string::npos);
}

TEST_CASE("a run that outlives the drain is interrupted, within the limit") {
  Scene::Options options = with_drain();
  options.environment["CHECKSTACK_SATELLITE_DRAIN"] = "1";
  Scene scene(std::move(options));
  const std::string id = begin_long_run(scene);
  scene.satellite().signal(SIGTERM);
  // The drain and 15 s are promised; the service manager kills after 30.
  CHECK(scene.satellite().wait(28s) == 0);
  const auto run = scene.core().wait_finished(id);
  REQUIRE(run);
  CHECK(run->finished->outcome == "interrupted");
  CHECK(last_goodbye(scene).find("1001") != std::string::npos);
}

TEST_CASE("a second SIGTERM ends the drain at once") {
  Scene scene(with_drain());
  const std::string id = begin_long_run(scene);
  scene.satellite().signal(SIGTERM);
  scene.wait_for_log("draining");
  scene.satellite().signal(SIGTERM);
  const auto run = scene.core().wait_finished(id);
  REQUIRE(run);
  CHECK(run->finished->outcome == "interrupted");
  CHECK(scene.satellite().wait() == 0);
}

TEST_CASE("a check that is under way at SIGTERM reports its result before the satellite ends") {
  const TempDir gates;
  std::filesystem::permissions(gates.path(), std::filesystem::perms::all);
  const std::string begun = (gates.path() / "begun").string();
  const std::string gate = (gates.path() / "gate").string();
  Scene scene(with_host_files({shell_check(
      "cfg", "touch " + begun + "; while ! [ -e " + gate + " ]; do sleep 0.02; done; echo alive",
      1)}));
  eventually("the check runs", [&] { return std::filesystem::exists(begun); });
  scene.satellite().signal(SIGTERM);
  scene.wait_for_log("draining");
  gates.write("gate", "");
  const json result = nth_result(scene, "cfg");
  CHECK(collector_of(result).at("stdout") == "alive");
  CHECK(scene.satellite().wait() == 0);
}

TEST_CASE("a run that ends in the drain while the core is away is told by the next process") {
  const TempDir gates;
  std::filesystem::permissions(gates.path(), std::filesystem::perms::all);
  Scene scene(with_host_files());
  const std::string id = start_gated(scene, gates.path() / "gate");
  scene.stop_core();
  scene.satellite().signal(SIGTERM);
  scene.wait_for_log("draining");
  gates.write("gate", "");
  CHECK(scene.satellite().wait() == 0);
  scene.start_core();
  scene.start_satellite();
  const auto run = scene.core().wait_finished(id);
  REQUIRE(run);
  CHECK(run->finished->outcome == "exited");
}
