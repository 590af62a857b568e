#include "tests/end_to_end/scene.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// The same order once more, as a core sends it that is not sure.
protocol::RunScript again(const std::string& id, const std::string& text) {
  auto message = script(text);
  message.run_id = RunId(id);
  return message;
}

std::size_t finished_frames(Scene& scene, const std::string& id) {
  std::size_t count = 0;
  for (const std::string& frame : scene.core().ledger().frames("script_finished")) {
    count += json::parse(frame).at("runId") == id ? 1U : 0U;
  }
  return count;
}

}  // namespace

TEST_CASE("a run that kill -9 ended is interrupted, said once, and never executed again") {
  Scene scene;
  auto message = script("echo before; sleep 600");
  message.timeout = 700s;
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  REQUIRE(scene.core().wait_output(id, 7));
  scene.end_satellite();
  scene.start_satellite();
  const auto run = scene.core().wait_finished(id);
  REQUIRE(run);
  CHECK(run->finished->outcome == "interrupted");
  CHECK(run->finished->exit_code == -1);
  CHECK(run->standard_output == "before\n");
  CHECK(run->violations.empty());
  scene.core().dispatch(again(id, "echo twice"));
  const auto answered = scene.core().wait_for_frame("script_status");
  REQUIRE(answered);
  const json status = json::parse(*answered);
  CHECK(status.at("state") == "finished");
  CHECK(status.at("finished").at("outcome") == "interrupted");
  // A third process knows it, too, and has nothing more to say.
  scene.end_satellite();
  scene.start_satellite();
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 3));
  scene.core().dispatch(again(id, "echo three times"));
  REQUIRE(scene.core().wait_for_frame("script_status", devcore::DevCore::patience, 2));
  CHECK(scene.run("echo done").standard_output == "done\n");
  const auto seen = scene.core().ledger().run(id);
  CHECK(seen.standard_output == "before\n");
  CHECK(seen.violations.empty());
  CHECK(finished_frames(scene, id) == 1);
}

TEST_CASE("a queued run that kill -9 met is interrupted and does not start") {
  auto options = Scene::with_policy(default_policy);
  options.environment["CHECKSTACK_SATELLITE_CONCURRENCY"] = "1";
  Scene scene(std::move(options));
  auto first = script("sleep 600");
  auto second = script("echo never");
  const std::string first_id = first.run_id.text, second_id = second.run_id.text;
  scene.core().dispatch(std::move(first));
  REQUIRE(scene.core().wait_started(first_id));
  scene.core().dispatch(std::move(second));
  REQUIRE(scene.core().wait_answered(second_id));
  scene.end_satellite();
  scene.start_satellite();
  for (const std::string& id : {first_id, second_id}) {
    const auto run = scene.core().wait_finished(id);
    REQUIRE(run);
    CHECK(run->finished->outcome == "interrupted");
    CHECK(run->violations.empty());
  }
  CHECK_FALSE(scene.core().ledger().run(second_id).started);
}

TEST_CASE("the end of a run and all its output outlive kill -9 when the core has not taken them") {
  auto options = Scene::with_policy(default_policy);
  options.core.acknowledge = false;
  Scene scene(std::move(options));
  auto message = script("for i in 1 2 3; do echo $i; sleep 0.2; done; echo error >&2; exit 7");
  const std::string id = message.run_id.text;
  scene.core().dispatch(std::move(message));
  // The end is on disk before it is sent, and what was said before with it.
  REQUIRE(scene.core().wait_finished(id));
  scene.end_satellite();
  scene.stop_core();
  scene.start_core();
  scene.core().set_acknowledge(true);
  scene.start_satellite();
  const auto run = scene.core().wait_finished(id);
  REQUIRE(run);
  CHECK(run->finished->outcome == "exited");
  CHECK(run->finished->exit_code == 7);
  CHECK(run->standard_output == "1\n2\n3\n");
  CHECK(run->standard_error == "error\n");
  CHECK(run->started);
  CHECK(run->violations.empty());
  // Acknowledged now: the next process does not say it again, but knows it.
  REQUIRE(scene.core().wait_until_authenticated());
  CHECK(scene.run("echo settled").standard_output == "settled\n");
  scene.end_satellite();
  scene.start_satellite();
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  scene.core().query(id);
  const auto answered = scene.core().wait_for_frame("script_status");
  REQUIRE(answered);
  const json status = json::parse(*answered);
  CHECK(status.at("state") == "finished");
  CHECK(status.at("finished").at("exitCode") == 7);
  CHECK(finished_frames(scene, id) == 1);
}

TEST_CASE("runs that end while the core is away leave memory and come back in order") {
  Scene scene;
  // The first script may end before the core is stopped; what this core has not acknowledged is
  // said to the next one.
  scene.core().set_acknowledge(false);
  std::vector<std::string> ids;
  // One after another, so that the last to be accepted is the last to end.
  for (int i = 0; i < 6; ++i) {
    auto message = script("sleep 1; head -c 200000 /dev/zero | tr '\\0' " + std::to_string(i));
    ids.push_back(message.run_id.text);
    scene.core().dispatch(std::move(message));
  }
  for (const std::string& id : ids) REQUIRE(scene.core().wait_started(id));
  scene.stop_core();
  eventually("all end", [&] {
    const std::string log = scene.satellite().log();
    return std::all_of(ids.begin(), ids.end(), [&log](const std::string& id) {
      return log.find(" script_finished run=" + id) != std::string::npos;
    });
  });
  scene.start_core();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto run = scene.core().wait_finished(ids[i]);
    REQUIRE(run);
    CHECK(run->finished->outcome == "exited");
    CHECK(run->standard_output == std::string(200'000, static_cast<char>('0' + i)));
  }
}

TEST_CASE("a run knows no id of before where nothing is kept on disk, and says so at the start") {
  auto options = Scene::with_policy(default_policy);
  options.environment["CHECKSTACK_SATELLITE_EPHEMERAL"] = "true";
  Scene scene(std::move(options));
  auto message = script("echo once");
  const std::string id = message.run_id.text;
  scene.run(std::move(message));
  scene.core().dispatch(again(id, "echo twice"));
  const auto answered = scene.core().wait_for_frame("script_status");
  REQUIRE(answered);
  CHECK(json::parse(*answered).at("finished").at("outcome") == "exited");
  scene.wait_for_log(" outbox_ephemeral ");
}
