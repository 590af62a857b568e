// Frames that a core should not send, answers that come late or to somebody else, and what the
// satellite says of what it cannot do.
#include "tests/end_to_end/check_scene.hpp"

#include <sys/stat.h>
#include <algorithm>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::tests;

namespace {

/// Asked for, and never answered by the core itself.
devcore::SecretReplies silent(const std::string& config_id) {
  devcore::SecretReplies replies;
  replies.run[config_id + "/c1"] = "";
  replies.config[config_id] = "";
  return replies;
}

bool said_goodbye(Scene& scene, const std::string& words) {
  const auto goodbyes = scene.core().ledger().goodbyes();
  return std::any_of(goodbyes.begin(), goodbyes.end(), [&](const std::string& goodbye) {
    return goodbye.find(words) != std::string::npos;
  });
}

std::size_t count_of(Scene& scene, const std::string& type) {
  return scene.core().ledger().frames(type).size();
}

}  // namespace

TEST_CASE("a frame that says something twice is refused and told, and the policy in force stays") {
  Scene scene(with_checks({shell_check("cfg", "echo alive", 1)}));
  nth_result(scene, "cfg");
  scene.core().push_text(R"({"type":"sandbox_policy","policy":{"enabled":true,"enabled":false}})");
  scene.wait_for_log("frame_invalid");
  scene.wait_for_log("policy_invalid");
  CHECK(scene.satellite().log().find("two members named \"enabled\"") != std::string::npos);
  const std::size_t before = results_of(scene, "cfg").size();
  const json entry = collector_of(nth_result(scene, "cfg", before + 2));
  CHECK(entry.at("_sandbox").at("enforced").at("filesystem") == true);
  CHECK(entry.at("_sandbox").at("notes").dump().find("is not valid") != std::string::npos);
  CHECK(scene.core().ledger().counters().authentications == 1);
}

TEST_CASE("a binary frame ends the connection with 1003, and the satellite comes back") {
  Scene scene(with_checks({shell_check("cfg", "echo alive", 1)}));
  nth_result(scene, "cfg");
  scene.core().misbehave(devcore::Misbehaviour::binary_frame);
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  CHECK(said_goodbye(scene, "code 1003"));
  nth_result(scene, "cfg", results_of(scene, "cfg").size() + 1);
}

TEST_CASE(
    "a request for secrets that is answered with the other kind goes on waiting for its own") {
  const bool asks_for_run_secrets = GENERATE(true, false);
  json check = shell_check("cfg", "echo ran", 3600);
  if (asks_for_run_secrets) {
    check = with_token(check);
  } else {
    check["collectors"][0]["config"]["env"] = {{"PASSWORD", "__hcsecret__:42"}};
  }
  Scene scene(with_checks({check}, silent("cfg")));
  const auto request = scene.core().wait_for_frame(
      asks_for_run_secrets ? "request_run_secrets" : "request_config_secrets",
      std::chrono::seconds(60));
  REQUIRE(request);
  const std::string id = json::parse(*request).at("requestId");
  const std::string run_secrets =
      json{{"type", "run_secrets"}, {"requestId", id}, {"env", {{"API_TOKEN", "abcd1234"}}}}.dump();
  const std::string config_secrets = json{{"type", "config_secrets"},
                                          {"requestId", id},
                                          {"collectors", {{"c1", {{"env.PASSWORD", "abcd1234"}}}}}}
                                         .dump();
  scene.core().push_text(asks_for_run_secrets ? config_secrets : run_secrets);
  scene.wait_for_log("reply_mismatched");
  CHECK(results_of(scene, "cfg").empty());
  scene.core().push_text(asks_for_run_secrets ? run_secrets : config_secrets);
  CHECK(collector_of(nth_result(scene, "cfg")).at("stdout") == "ran");
  CHECK(scene.core().ledger().counters().authentications == 1);
}

TEST_CASE(
    "what is said about script packages is answered: none are wanted, or what no core wants") {
  Scene scene(with_checks({}));
  scene.core().push_text(
      R"({"type":"config_updated","assignments":[],"scriptPackagesLockfileHash":null})");
  const auto none = scene.core().wait_for_frame("script_package_sync_state");
  REQUIRE(none);
  CHECK(json::parse(*none) == json{{"type", "script_package_sync_state"},
                                   {"lockfileHash", nullptr},
                                   {"status", "ready"}});
  const std::string pushed =
      GENERATE(as<std::string>{}, R"({"type":"refresh_script_packages","lockfileHash":"9f2c"})",
               R"({"type":"config_updated","assignments":[],"scriptPackagesLockfileHash":"9f2c"})");
  scene.core().push_text(pushed);
  const auto told =
      scene.core().wait_for_frame("script_package_sync_state", devcore::DevCore::patience, 2);
  REQUIRE(told);
  const json state = json::parse(*told);
  CHECK(state.at("lockfileHash") == "9f2c");
  CHECK(state.at("status") == "error");
  CHECK(state.at("errorMessage").get<std::string>().find("lockfile hash") != std::string::npos);
  CHECK(scene.core().ledger().invalid_frames() == std::vector<std::string>{});
}

TEST_CASE("a rejected assignment has one unhealthy result for each environment, which says why") {
  json bad = shell_check("bad", "true", 1);
  bad["collectors"][0].erase("config");
  json with_environments = bad;
  with_environments["configId"] = "bad-envs";
  with_environments["environments"] = json::parse(R"([{"id":"env-a","name":"A"},{"id":"env-b",
    "name":"B"}])");
  const std::vector<json> checks{bad, with_environments, shell_check("good", "echo alive", 1)};
  Scene scene(with_checks(checks));
  const json result = nth_result(scene, "bad");
  CHECK(result.at("status") == "unhealthy");
  CHECK(result.at("systemId") == "sys-1");
  CHECK(result.at("environmentId").is_null());
  const std::string text = result.at("result").at("message");
  CHECK(text.find("Error: assignment rejected by the satellite: $.collectors[0].config") == 0);
  CHECK(result.at("result").at("metadata").at("error") == text);
  nth_result(scene, "bad-envs", 2);
  // The same set once more changes nothing; the good one runs all the while.
  scene.core().push_assignments(as_set(checks));
  nth_result(scene, "good", results_of(scene, "good").size() + 3);
  CHECK(results_of(scene, "bad").size() == 1);
  CHECK(results_of(scene, "bad-envs").size() == 2);
  CHECK(results_of(scene, "bad-envs")[0].at("environmentId") == "env-a");
  CHECK(results_of(scene, "bad-envs")[1].at("environmentId") == "env-b");
}

TEST_CASE("a directory that the sandbox has not: the check runs in scratch, host or not") {
  const TempDir host;
  ::chmod(host.path().c_str(), 0755);
  json there = shell_check("there", "pwd", 1), missing = shell_check("missing", "pwd", 1),
       inside = shell_check("inside", "pwd", 1), relative = shell_check("relative", "pwd", 1);
  there["collectors"][0]["config"]["cwd"] = host.path().string();
  missing["collectors"][0]["config"]["cwd"] = (host.path() / "nowhere").string();
  inside["collectors"][0]["config"]["cwd"] = "/usr/bin";
  relative["collectors"][0]["config"]["cwd"] = "nowhere";
  Scene scene(with_checks({there, missing, inside, relative}));
  const json entry = collector_of(nth_result(scene, "there"));
  INFO(entry.dump(2));
  CHECK(entry.at("exitCode") == 0);
  CHECK(entry.at("stdout") != host.path().string());
  CHECK(entry.at("_sandbox")
            .at("notes")
            .dump()
            .find(host.path().string() + " does not exist in the sandbox") != std::string::npos);
  CHECK(nth_result(scene, "there").at("status") == "healthy");
  // Nothing tells what the host has.
  CHECK(nth_result(scene, "missing").at("status") == "healthy");
  CHECK(nth_result(scene, "relative").at("status") == "unhealthy");
  CHECK(collector_of(nth_result(scene, "inside")).at("stdout") == "/usr/bin");
}

TEST_CASE("the log names what made a check unhealthy, and what kind of message is ignored") {
  json broken = shell_check("broken", "true", 1);
  broken["collectors"][0]["config"]["timeout"] = 1;
  Scene scene(with_checks({broken}));
  scene.wait_for_log("check_unhealthy");
  const std::string log = scene.satellite().log();
  const std::string line = log.substr(log.find("check_unhealthy"));
  CHECK(line.substr(0, line.find('\n')).find("Invalid configuration: timeout: too_small") !=
        std::string::npos);
  scene.core().push_text(
      R"({"type":"telemetry_ack","batchId":"0","accepted":1,"rejected":0,"retryable":false})");
  scene.wait_for_log("message_ignored type=telemetry_ack");
}

TEST_CASE("a core that answers who asks for the way too late is asked on, and a lost way found") {
  Scene::Options options = with_checks({shell_check("cfg", "echo alive", 1)});
  options.environment["CHECKSTACK_SATELLITE_ROUTE_PROBE"] = "2";
  options.core.secrets.answers_probes = false;
  Scene scene(std::move(options));
  const auto asked = scene.core().wait_for_frame("capability_secret_request");
  REQUIRE(asked);
  scene.wait_for_log("route_unproven");
  // An answer that nobody asked for proves nothing.
  scene.core().push_text(
      R"({"type":"capability_secret_response","requestId":"of-nobody","error":"x"})");
  scene.core().push_text(json{
      {"type", "capability_secret_response"},
      {"requestId", json::parse(*asked).at("requestId")},
      {"error",
       "Unknown capability"}}.dump());
  scene.core().misbehave(devcore::Misbehaviour::forget_route);
  REQUIRE(scene.core().wait_until_authenticated(std::chrono::seconds(40), 2));
  CHECK(said_goodbye(scene, "Route lost"));
  CHECK(count_of(scene, "capability_secret_request") >= 1);
}

TEST_CASE("a corrected token file is used at once, a wrong one left alone") {
  const TempDir directory;
  const std::string path = directory.write("token", "csat_wrong");
  ::chmod(path.c_str(), 0600);
  Scene::Options options = with_checks({});
  options.environment["CHECKSTACK_SATELLITE_TOKEN_FILE"] = path;
  options.waits_until_connected = false;
  Scene scene(std::move(options));
  scene.wait_for_log("auth_failed");
  scene.wait_for_log("reconnect_waits");
  CHECK(scene.core().ledger().counters().authentications == 0);
  // As whoever rotates it does: a new file in the place of the old one.
  const std::string next = directory.write("next", "csat_right\n");
  ::chmod(next.c_str(), 0600);
  REQUIRE(std::rename(next.c_str(), path.c_str()) == 0);
  REQUIRE(scene.core().wait_until_authenticated());
  scene.wait_for_log("token_changed");
  CHECK(scene.satellite().log().find("csat_") == std::string::npos);
  CHECK(scene.core().ledger().counters().refusals == 1);
}
