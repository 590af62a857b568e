#include "tests/end_to_end/check_scene.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::tests;

namespace {

// A multiple of three bytes, so that its base64 form has no padding.
const std::string token = "s3cr3t value/XYZ42";

devcore::SecretReplies token_for(const std::string& config_id) {
  return {{{config_id + "/c1", "\"env\":{\"API_TOKEN\":\"" + token + "\"}"}}, {}, true};
}

}  // namespace

TEST_CASE(
    "a run secret reaches the script and nothing else: raw, base64 and URL forms are masked") {
  const std::string script =
      "printf '%s\\n' \"$API_TOKEN\"; printf %s \"$API_TOKEN\" | base64; "
      "printf %s \"$API_TOKEN\" | sed 's| |%20|;s|/|%2F|'; printf '\\n%s\\n' ${#API_TOKEN}";
  Scene::Options options =
      with_checks({with_token(shell_check("cfg", script, 1))}, token_for("cfg"));
  options.environment["CHECKSTACK_SATELLITE_LOG_LEVEL"] = "debug";
  Scene scene(std::move(options));
  const json result = nth_result(scene, "cfg");
  CHECK(result.at("status") == "healthy");
  // The script did have it: it knows its length.
  CHECK(collector_of(result).at("stdout") == "****\n****\n****\n18");
  scene.wait_for_log("check_finished check=cfg");
  const std::string all = result.dump() + scene.satellite().log();
  for (const char* form : {"s3cr3t", "czNjcjN0", "XYZ"}) {
    INFO(form);
    CHECK(all.find(form) == std::string::npos);
  }
  const json request = json::parse(*scene.core().wait_for_frame("request_run_secrets"));
  CHECK(request.at("configId") == "cfg");
  CHECK(request.at("collectorId") == "c1");
  CHECK(request.at("requestId").get<std::string>().size() == 36);
}

TEST_CASE("the secret inside a value that the core interpolated is masked by itself, too") {
  json check = shell_check("cfg", "echo \"$URL\"; p=${URL#user:}; echo \"${p%@host}\"", 1);
  check["collectors"][0]["config"]["secretEnv"] = {{"URL", "user:${{ secrets.token }}@host"}};
  Scene scene(with_checks(
      {check}, {{{"cfg/c1", "\"env\":{\"URL\":\"user:" + token + "@host\"}"}}, {}, true}));
  CHECK(collector_of(nth_result(scene, "cfg")).at("stdout") == "****\n****");
}

TEST_CASE("a zero byte of a check's output reaches the core as a sign that it can store") {
  Scene scene(with_checks({shell_check("cfg", "printf 'a\\000b'", 1)}));
  CHECK(collector_of(nth_result(scene, "cfg")).at("stdout") == "a\uFFFDb");
}

TEST_CASE("a secret the core does not have fails the collector, and the script never starts") {
  devcore::SecretReplies replies;
  replies.run["cfg/c1"] = "\"error\":\"Secret \\\"nope\\\" not found\"";
  Scene scene(with_checks({with_token(shell_check("cfg", "echo must not run", 1))}, replies));
  const json result = nth_result(scene, "cfg");
  CHECK(collector_of(result) == json::parse(R"({"_collectorId":"healthcheck-script.execute",
    "error":"Error: Secret \"nope\" not found"})"));
  CHECK(result.at("result").at("message") == "Check failed: Error: Secret \"nope\" not found");
}

TEST_CASE("a config secret is put in its place, reaches the script, and is masked") {
  json check = shell_check("cfg", "echo \"$PASSWORD\"; echo ${#PASSWORD}", 1);
  check["collectors"][0]["config"]["env"] = {{"PASSWORD", "__hcsecret__:42"}};
  devcore::SecretReplies replies;
  replies.config["cfg"] = R"("strategy":{},"collectors":{"c1":{"env.PASSWORD":"cfg-secret-pw"}})";
  Scene scene(with_checks({check}, replies));
  const json result = nth_result(scene, "cfg");
  CHECK(collector_of(result).at("stdout") == "****\n13");
  CHECK((result.dump() + scene.satellite().log()).find("cfg-secret-pw") == std::string::npos);
}

TEST_CASE("a config secret that stays unresolved ends the run before it starts") {
  json check = shell_check("cfg", "echo must not run", 1);
  check["collectors"][0]["config"]["env"] = {{"PASSWORD", "${{ secrets.gone }}"}};
  devcore::SecretReplies replies;
  replies.config["cfg"] = R"("strategy":{},"collectors":{})";
  Scene scene(with_checks({check}, replies));
  json result = nth_result(scene, "cfg");
  const std::string text =
      "Error: Health check cfg collector c1: a config secret stayed unresolved";
  CHECK(result.at("latencyMs") == 0);
  CHECK(result.at("result") == json({{"status", "unhealthy"},
                                     {"latencyMs", 0},
                                     {"message", text},
                                     {"metadata", {{"connected", false}, {"error", text}}}}));
}

TEST_CASE("a script that only speaks of a secret runs, though upstream's would fail for ever") {
  Scene scene(with_checks({shell_check("cfg", "echo '${{ secrets.X }}'", 1)}));
  CHECK(collector_of(nth_result(scene, "cfg")).at("stdout") == "${{ secrets.X }}");
}

TEST_CASE("a disconnect ends the wait for a secret at once, and nothing is claimed of the check") {
  devcore::SecretReplies silent;
  silent.run["cfg/c1"] = "";
  Scene scene(with_checks({with_token(shell_check("cfg", "echo ran", 1))}, silent));
  REQUIRE(scene.core().wait_for_frame("request_run_secrets", std::chrono::seconds(60)));
  scene.core().know_secrets(token_for("cfg"));
  scene.core().misbehave(devcore::Misbehaviour::reset);
  scene.wait_for_log("check_skipped");
  // The next run, with a core that answers, is the first to be reported.
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  CHECK(nth_result(scene, "cfg").at("status") == "healthy");
}

TEST_CASE(
    "a secret that is not delivered in time fails the collector, and the script never starts") {
  devcore::SecretReplies silent;
  silent.run["cfg/c1"] = "";
  Scene scene(with_checks({with_token(shell_check("cfg", "echo ran", 1))}, silent));
  REQUIRE(scene.core().wait_for_frame("request_run_secrets", std::chrono::seconds(60)));
  // The reply may take 30 s; the connection is well all the while.
  REQUIRE(scene.core().wait_for_frame("result", std::chrono::seconds(90)));
  const json result = nth_result(scene, "cfg");
  CHECK(result.at("status") == "unhealthy");
  const json collector = collector_of(result);
  CHECK(collector.dump().find("Run-secret delivery timed out for c1") != std::string::npos);
  CHECK(collector.dump().find("ran\\n") == std::string::npos);
}
