// What the existing core does not do for a satellite: remember the way to it, and push most edits.
#include "tests/end_to_end/check_scene.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::tests;

namespace {

std::size_t position_of(Scene& scene, const std::string& words, std::size_t from = 0) {
  return scene.satellite().log().find(words, from);
}

bool closed_normally(Scene& scene, const std::string& reason) {
  REQUIRE(scene.core().wait_until_disconnected());
  const auto goodbyes = scene.core().ledger().goodbyes();
  return std::any_of(goodbyes.begin(), goodbyes.end(), [&](const std::string& goodbye) {
    return goodbye.find("1000") != std::string::npos && goodbye.find(reason) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("a core that lost the way to its satellite is noticed, left cleanly and found again") {
  Scene::Options options = with_checks({shell_check("cfg", "echo alive", 1)});
  options.environment["CHECKSTACK_SATELLITE_ROUTE_PROBE"] = "2";
  Scene scene(std::move(options));
  nth_result(scene, "cfg");
  scene.core().misbehave(devcore::Misbehaviour::forget_route);
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  CHECK(closed_normally(scene, "Route lost"));
  // A new connection that overlapped the old one would be forgotten just as well.
  const std::size_t lost = position_of(scene, "route_lost");
  const std::size_t left = position_of(scene, "disconnected", lost);
  REQUIRE(left != std::string::npos);
  CHECK(position_of(scene, " connected ", lost) > left);
  const std::size_t before = results_of(scene, "cfg").size();
  nth_result(scene, "cfg", before + 2);
}

TEST_CASE("a core that answers is not left, and one too old to answer is not either") {
  const bool answers = GENERATE(true, false);
  Scene::Options options = with_checks({shell_check("cfg", "echo alive", 1)});
  options.core.secrets.answers_probes = answers;
  // A core that answers has twice so long for it, on a busy host as well.
  options.environment["CHECKSTACK_SATELLITE_ROUTE_PROBE"] = answers ? "4" : "1";
  Scene scene(std::move(options));
  // Several questions, or one and the time for its answer, have passed by then.
  if (answers) {
    eventually("the core was asked three times", [&] {
      return scene.core().ledger().frames("capability_secret_request").size() >= 3;
    });
  }
  nth_result(scene, "cfg", 5);
  CHECK(scene.core().ledger().counters().authentications == 1);
  const auto asked = scene.core().ledger().frames("capability_secret_request").size();
  // The pauses grow: after 1, 2 and 4 seconds.
  CHECK((answers ? asked >= 3 : asked <= 5));
}

TEST_CASE("a refresh brings what the core did not push, and nothing runs because of it") {
  const json hourly = shell_check("hourly", "echo once", 3600);
  Scene::Options options = with_checks({hourly, shell_check("edited", "echo before", 1)});
  options.environment["CHECKSTACK_SATELLITE_REFRESH"] = "2";
  Scene scene(std::move(options));
  CHECK(collector_of(nth_result(scene, "edited")).at("stdout") == "before");
  nth_result(scene, "hourly");
  const auto connections = scene.core().ledger().counters().authentications;
  scene.core().edit_assignments(as_set({hourly, shell_check("edited", "echo after", 1)}));
  eventually("the edit is in force", [&] {
    return collector_of(results_of(scene, "edited").back()).at("stdout") == "after";
  });
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, connections + 2));
  const std::size_t before = results_of(scene, "edited").size();
  nth_result(scene, "edited", before + 2);
  CHECK(runs_of(scene, "hourly") == 1);
  CHECK(closed_normally(scene, "Refresh"));
  CHECK(scene.core().ledger().counters().invalid_frames == 0);
}

TEST_CASE("a refresh waits for the secrets that a check waits for") {
  json check = shell_check("cfg", "echo ran", 1);
  check["collectors"][0]["config"]["secretEnv"] = {{"API_TOKEN", "${{ secrets.token }}"}};
  devcore::SecretReplies silent;
  silent.run["cfg/c1"] = "";
  Scene::Options options = with_checks({check}, silent);
  options.environment["CHECKSTACK_SATELLITE_REFRESH"] = "3";
  Scene scene(std::move(options));
  const auto request = scene.core().wait_for_frame("request_run_secrets");
  REQUIRE(request);
  // The refresh may be over before a slow satellite asks for its first secrets.
  const auto connections = scene.core().ledger().counters().authentications;
  // Longer than the refresh is due; then the answer comes after all.
  const auto asked_at = std::chrono::steady_clock::now();
  eventually("the refresh is overdue",
             [&] { return std::chrono::steady_clock::now() - asked_at > std::chrono::seconds(4); });
  CHECK(scene.core().ledger().counters().authentications == connections);
  const std::string id = json::parse(*request).at("requestId");
  scene.core().push_text(
      json{{"type", "run_secrets"}, {"requestId", id}, {"env", {{"API_TOKEN", "secret-value"}}}}
          .dump());
  CHECK(collector_of(nth_result(scene, "cfg")).at("stdout") == "ran");
}
