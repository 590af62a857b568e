#include "tests/end_to_end/check_scene.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::tests;

namespace {

json set_collector(json check, const std::string& collector_id) {
  check["collectors"][0]["collectorId"] = collector_id;
  return check;
}

std::size_t lines_with(const std::string& log, const std::string& words) {
  std::size_t count = 0;
  for (auto at = log.find(words); at != std::string::npos; at = log.find(words, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE(
    "a check runs again and again under the relayed policy, and its result is the contract's") {
  Scene scene(with_checks({shell_check("cfg-healthy", "echo hi; echo err >&2", 1)}));
  nth_result(scene, "cfg-healthy", 3);
  json result = nth_result(scene, "cfg-healthy");
  json& entry = result["result"]["metadata"]["collectors"]["c1"];
  CHECK(entry.at("_sandbox").at("enforced") == json::parse(R"({"resources":true,"filesystem":true,
    "network":true,"privilege":true})"));
  CHECK(entry.at("_sandbox").at("downgrades").empty());
  // Stored with every run: where nothing is missing there is nothing to say.
  CHECK_FALSE(entry.at("_sandbox").contains("notes"));
  CHECK(result.dump().size() < 700);
  CHECK_FALSE(entry.at("_sandbox").at("engine").get<std::string>().empty());
  CHECK(entry.at("outputTruncated") == false);
  CHECK(entry.at("executionTimeMs").is_number_integer());
  CHECK(result.at("latencyMs") == result.at("result").at("latencyMs"));
  CHECK(result.at("result").at("message") ==
        "Completed in " + result.at("latencyMs").dump() + "ms");
  for (const char* name : {"_sandbox", "outputTruncated", "executionTimeMs"}) entry.erase(name);
  result["latencyMs"] = result["result"]["latencyMs"] = 0;
  result["result"]["message"] = "";
  result.erase("executedAt");
  CHECK(result == json::parse(R"({"type":"result","configId":"cfg-healthy","systemId":"sys-1",
    "environmentId":null,"status":"healthy","latencyMs":0,"result":{"status":"healthy",
    "latencyMs":0,"message":"","metadata":{"connected":true,"connectionTimeMs":0,"collectors":{
    "c1":{"_collectorId":"healthcheck-script.execute","exitCode":0,"stdout":"hi","stderr":"err",
    "success":true,"timedOut":false}}}}})"));
}

TEST_CASE("each environment of a check runs for itself and finds its fields in the environment") {
  json check = shell_check("cfg-envs", "env | grep ^CHECKSTACK_ | sort", 1);
  check["environments"] = json::parse(R"([{"id":"env-a","name":"Prod","fields":{
    "baseUrl":"https://prod","n":5,"flag":true,"nested":{"a":1},"nothing":null,"weird key!":"w"}},
    {"id":"env-c","name":"NoFields"}])");
  check["collectors"][0]["config"]["env"] = {{"LD_PRELOAD", "/x.so"}, {"OWN", "1"}};
  Scene scene(with_checks({check}));
  json with_fields, without;
  eventually("both environments reported", [&] {
    for (const json& result : results_of(scene, "cfg-envs")) {
      (result.at("environmentId") == "env-a" ? with_fields : without) = result;
    }
    return !with_fields.is_null() && !without.is_null();
  });
  const std::string common =
      "CHECKSTACK_SYSTEM_BASE_URL=http://sys\nCHECKSTACK_SYSTEM_ID=sys-1\n"
      "CHECKSTACK_SYSTEM_NAME=System One\nCHECKSTACK_SYSTEM_OWNER=team-a\nCHECKSTACK_SYSTEM_TIER=1";
  const std::string check_lines =
      "CHECKSTACK_CHECK_ID=cfg-envs\nCHECKSTACK_CHECK_INTERVAL_SECONDS=1\n"
      "CHECKSTACK_CHECK_NAME=Check cfg-envs\n";
  CHECK(collector_of(with_fields).at("stdout") ==
        check_lines +
            "CHECKSTACK_ENV_BASE_URL=https://prod\nCHECKSTACK_ENV_FLAG=true\n"
            "CHECKSTACK_ENV_ID=env-a\nCHECKSTACK_ENV_N=5\nCHECKSTACK_ENV_NAME=Prod\n"
            "CHECKSTACK_ENV_NESTED={\"a\":1}\nCHECKSTACK_ENV_NOTHING=\n"
            "CHECKSTACK_ENV_WEIRD_KEY=w\n" +
            common);
  CHECK(collector_of(without).at("stdout") ==
        check_lines + "CHECKSTACK_ENV_ID=env-c\nCHECKSTACK_ENV_NAME=NoFields\n" + common);
  CHECK(collector_of(without).at("droppedEnv") == json::array({"LD_PRELOAD"}));
}

TEST_CASE("a failing, a slow and a flooding script are told apart as the contract tells them") {
  json slow = shell_check("slow", "echo begun; sleep 60", 2);
  slow["collectors"][0]["config"]["timeout"] = 4'000;  // long enough to begin on a busy host
  Scene::Options options = with_checks({shell_check("exit-3", "echo bad; exit 3", 2), slow,
                                        shell_check("flood", "yes x | head -c 100000", 2)});
  options.core.policy = policy_with_output_cap(64);
  Scene scene(std::move(options));

  const json failed = nth_result(scene, "exit-3");
  CHECK(failed.at("status") == "healthy");  // assertions judge an exit code, not the satellite
  CHECK(collector_of(failed).at("exitCode") == 3);
  CHECK(collector_of(failed).at("success") == false);

  const json timed_out = nth_result(scene, "slow");
  CHECK(timed_out.at("status") == "unhealthy");
  CHECK(timed_out.at("result").at("message") == "Check failed: Script execution timed out");
  CHECK(collector_of(timed_out).at("timedOut") == true);
  CHECK(collector_of(timed_out).at("stdout") == "begun");

  const json flooded = nth_result(scene, "flood");
  CHECK(collector_of(flooded).at("outputTruncated") == true);
  CHECK(collector_of(flooded).at("exitCode") == 143);
  CHECK(collector_of(flooded).at("stdout").get<std::string>().size() <= 64);
}

TEST_CASE("what this satellite cannot run is unhealthy and says why, never silently healthy") {
  json other = shell_check("strategy", "true", 1);
  other["strategyId"] = "healthcheck-http.http";
  json broken = shell_check("broken", "true", 1);
  broken["collectors"][0]["config"]["timeout"] = 1;
  json filter = shell_check("filter", "true", 1);
  filter["collectors"][0]["config"]["cwd"] = "{{ check.id | nope }}";
  json without_runtime =
      set_collector(shell_check("inline", "return 1", 1), "healthcheck-script.inline-script");
  Scene::Options options =
      with_checks({other, broken, filter, without_runtime,
                   set_collector(shell_check("collector", "true", 1), "healthcheck-ping.ping")});
  options.environment["CHECKSTACK_SATELLITE_MODULE_RUNTIME"] = "none";
  Scene scene(options);

  json result = nth_result(scene, "strategy");
  result.erase("executedAt");
  CHECK(result == json::parse(R"({"type":"result","configId":"strategy","systemId":"sys-1",
    "environmentId":null,"status":"unhealthy","latencyMs":0,"result":{"status":"unhealthy",
    "latencyMs":0,"message":"Strategy healthcheck-http.http not found in satellite","metadata":{
    "connected":false,"error":"Strategy healthcheck-http.http not found in satellite"}}})"));
  CHECK(collector_of(nth_result(scene, "collector")) ==
        json::parse(R"({"_collectorId":"healthcheck-ping.ping",
          "error":"Error: Collector healthcheck-ping.ping not found in satellite"})"));
  CHECK(collector_of(nth_result(scene, "broken")).at("error") ==
        "Error: Invalid configuration: timeout: too_small");
  CHECK(collector_of(nth_result(scene, "filter")).at("error") ==
        "UnknownFilterError: Unknown filter \"nope\"");
  const json inline_entry = collector_of(nth_result(scene, "inline"));
  CHECK_FALSE(inline_entry.at("_collectorError").get<std::string>().empty());
  for (const char* id : {"collector", "broken", "filter", "inline"}) {
    CHECK(nth_result(scene, id).at("status") == "unhealthy");
  }
}

TEST_CASE("a check without collectors is healthy, as at the existing satellite") {
  json check = shell_check("empty", "", 1);
  check["collectors"] = json::array();
  Scene scene(with_checks({check}));
  const json result = nth_result(scene, "empty");
  CHECK(result.at("status") == "healthy");
  CHECK(result.at("result").at("metadata").at("collectors") == json::object());
}

TEST_CASE("a sandbox that refuses makes the check unhealthy with the refusal as its reason") {
  Scene::Options options = with_checks({shell_check("refused", "echo must not run", 1)});
  options.core.policy = R"({"onUnavailable":"fail","filesystem":{"mode":"scratch-plus-ro"},
    "network":{"mode":"allowlist","allow":["not an address"]},"privilege":{"mode":"drop-to-uid"}})";
  Scene scene(std::move(options));
  const json result = nth_result(scene, "refused");
  CHECK(result.at("status") == "unhealthy");
  const json entry = collector_of(result);
  INFO(result.dump(2));
  CHECK(entry.at("_collectorError").get<std::string>().rfind("sandbox unavailable: ", 0) == 0);
  CHECK(entry.at("exitCode") == -1);
  CHECK(entry.at("stdout") == "");
}

TEST_CASE("without a policy a check is unhealthy and explains the fail-closed profile") {
  Scene::Options options = with_checks({shell_check("cfg", "echo ran", 1)});
  options.core.policy.reset();
  Scene scene(std::move(options));
  const json result = nth_result(scene, "cfg");
  CHECK(result.at("status") == "unhealthy");
  CHECK(collector_of(result).at("_collectorError").get<std::string>().find("fail-closed") !=
        std::string::npos);
  CHECK_FALSE(collector_of(result).at("_sandbox").at("downgrades").empty());
  // The positive control: the same check, once the core has said what is allowed.
  scene.core().push_policy(default_policy);
  eventually("a healthy result",
             [&] { return results_of(scene, "cfg").back().at("status") == "healthy"; });
}

TEST_CASE("a malformed assignment is told to the core and the log, and the others live") {
  json bad = shell_check("bad", "true", 1);
  bad["collectors"][0].erase("config");
  Scene scene(with_checks({bad, shell_check("good", "echo alive", 1)}));
  const auto told = scene.core().wait_for_frame("strategy_error");
  REQUIRE(told);
  const json frame = json::parse(*told);
  CHECK(frame.at("strategyId") == "healthcheck-script.script");
  CHECK(frame.at("message").get<std::string>().find("$.collectors") != std::string::npos);
  scene.wait_for_log("assignment_invalid");
  CHECK(collector_of(nth_result(scene, "good")).at("stdout") == "alive");
  // And to whoever looks at the check: it has a result, once.
  CHECK(nth_result(scene, "bad").at("status") == "unhealthy");
  CHECK(results_of(scene, "bad").size() == 1);
}

TEST_CASE("a pushed set replaces the old one by value: changed work runs, removed work stops") {
  json goes = shell_check("goes", "echo $$ >&2; sleep 600", 1);
  goes["config"]["timeout"] = 300'000;
  goes["collectors"][0]["config"]["timeout"] = 300'000;
  Scene scene(with_checks(
      {shell_check("changes", "echo old", 1), goes, shell_check("stays", "echo same", 1)}));
  CHECK(collector_of(nth_result(scene, "changes")).at("stdout") == "old");
  // By its third run the script that goes has begun, too.
  nth_result(scene, "stays", 3);
  scene.core().push_assignments(
      as_set({shell_check("changes", "echo new", 1), shell_check("stays", "echo same", 1)}));
  // The script that goes runs for ten minutes; only being stopped can end it.
  scene.wait_for_log("runs_stopped=1");
  eventually("the new script's output", [&] {
    return collector_of(results_of(scene, "changes").back()).at("stdout") == "new";
  });
  const std::size_t before = results_of(scene, "stays").size();
  nth_result(scene, "stays", before + 2);
  CHECK(results_of(scene, "goes").empty());
  CHECK(lines_with(scene.satellite().log(), "runs_stopped=1") == 1);
}

TEST_CASE("a large set, read beside the event loop, is taken before the small one after it") {
  Scene::Options options = with_checks({shell_check("first", "echo f", 1)});
  // So that few of the thousand run before they are replaced.
  options.environment["CHECKSTACK_SATELLITE_FIRST_RUN_WITHIN"] = "3600";
  Scene scene(std::move(options));
  std::vector<json> many;
  for (int i = 0; i < 1'000; ++i) {
    many.push_back(shell_check("many-" + std::to_string(i), "true", 86'400));
  }
  const std::string large = as_set(many);
  // Far past the size up to which frames are read on the event loop.
  REQUIRE(large.size() > 256U << 10U);
  for (int i = 0; i < 5; ++i) {
    scene.core().push_assignments(large);
    scene.core().push_assignments(as_set({shell_check("small-" + std::to_string(i), "echo s", 1)}));
  }
  CHECK(collector_of(nth_result(scene, "small-4")).at("stdout") == "s");
  const std::string log = scene.satellite().log();
  const std::size_t last = log.rfind("assignments_taken");
  CHECK(log.find("assignments_taken checks=1 ", last) == last);
  // The one place where two threads meet: what a sanitizer says of it stands in the log.
  CHECK(log.find("ThreadSanitizer") == std::string::npos);
  CHECK(log.find("frame_invalid") == std::string::npos);
}

TEST_CASE("the same set pushed again, or brought by a reconnect, makes nothing run twice") {
  const std::vector<json> checks{shell_check("hourly", "echo once", 3600)};
  Scene scene(with_checks(checks));
  nth_result(scene, "hourly");
  scene.core().push_assignments(as_set(checks));
  scene.core().misbehave(devcore::Misbehaviour::close);
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  eventually("all three sets are taken",
             [&] { return lines_with(scene.satellite().log(), "assignments_taken") == 3; });
  // A run started by either of them would have come before this one's.
  scene.core().push_assignments(as_set({checks.front(), shell_check("witness", "echo w", 1)}));
  nth_result(scene, "witness", 2);
  CHECK(runs_of(scene, "hourly") == 1);
}

TEST_CASE("checks go on while the core is away, and their results are said when it is back") {
  Scene scene(with_checks({shell_check("goes-on", "echo alive", 1)}));
  nth_result(scene, "goes-on");
  scene.stop_core();
  scene.wait_for_log("disconnected");
  const auto gone_at = std::chrono::system_clock::now();
  scene.wait_for_log("reconnect_waits");
  eventually("the core is missed for two intervals", [&] {
    return std::chrono::system_clock::now() - gone_at > std::chrono::milliseconds(2'500);
  });
  scene.start_core();
  const auto back = scene.core().wait_until_authenticated();
  REQUIRE(back);
  // The new core has a fresh ledger: what comes at once was measured while nobody listened.
  CHECK(collector_of(nth_result(scene, "goes-on", 2)).at("stdout") == "alive");
}

TEST_CASE("a result that six bytes per character make too large for the core is cut and says so") {
  json check = shell_check("control", "head -c 5000000 /dev/zero | tr '\\0' '\\001'", 600);
  check["config"]["timeout"] = 120'000;
  check["collectors"][0]["config"]["timeout"] = 100'000;
  Scene scene(with_checks({check, shell_check("witness", "echo w", 1)}));
  const json result = nth_result(scene, "control");
  CHECK(result.at("status") == "healthy");
  const json entry = collector_of(result);
  CHECK(entry.at("exitCode") == 0);
  CHECK(entry.at("outputTruncated") == true);
  CHECK(entry.at("_outputNote").get<std::string>().find("16 MiB") != std::string::npos);
  const std::size_t kept = entry.at("stdout").get_ref<const std::string&>().size();
  CHECK(kept < 5'000'000);
  CHECK(6 * kept > 15'000'000);
  // The core took the frame, whole and valid, and goes on.
  const std::size_t results = scene.core().ledger().frames("result").size();
  REQUIRE(scene.core().wait_for_frame("result", devcore::DevCore::patience, results + 1));
  CHECK(scene.core().ledger().counters().invalid_frames == 0);
}

TEST_CASE("a check that does not end by its deadline is stopped and reported") {
  json check = shell_check("endless", "sleep 600", 5);
  check["collectors"][0]["config"]["timeout"] = 300000;
  Scene::Options options = with_checks({check});
  options.environment["CHECKSTACK_SATELLITE_CHECK_DEADLINE"] = "1";
  Scene scene(std::move(options));
  const json result = nth_result(scene, "endless");
  CHECK(result.at("status") == "unhealthy");
  CHECK(collector_of(result).at("timedOut") == true);
  CHECK(result.at("result").at("message").get<std::string>().find("deadline") != std::string::npos);
}
