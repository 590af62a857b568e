#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/require_layer.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::tests;

// The operator of the host has the last word, whichever way an order comes: the policies that once
// gave a core the host's root, as assignments, as dispatched scripts and on the command line.

namespace {

bool is_root() {
  return ::geteuid() == 0;
}

/// Who the script is, and what of the host it could read or change as root.
const std::string whoami =
    "echo uid $(id -u) gid $(id -g) groups $(id -G); "
    "head -c 1 /etc/shadow 2>/dev/null | wc -c; "
    "touch /etc/satellite-test-$$ 2>/dev/null && echo wrote && rm /etc/satellite-test-$$; "
    "grep ^CapEff /proc/self/status";

std::string each_hostile_policy() {
  return GENERATE(
      as<std::string>{}, R"({"enabled":false})", "{}",
      R"({"privilege":{"mode":"inherit"},"onUnavailable":"degrade"})",
      R"({"onUnavailable":"fail","filesystem":{"mode":"off"},"network":{"mode":"deny"},
                      "privilege":{"mode":"drop-to-uid","uid":65532,"gid":42}})",
      R"({"onUnavailable":"degrade","privilege":{"mode":"drop-to-uid","uid":0,"gid":0}})");
}

/// Refused, or nobody of importance.
void check_harmless(const std::string& outcome, const std::string& output,
                    const std::string& user = "65532") {
  INFO(outcome << ": " << output);
  if (outcome == "refused") {
    CHECK(output.empty());
    return;
  }
  CHECK(output ==
        "uid " + user + " gid " + user + " groups " + user + "\n0\nCapEff:\t0000000000000000\n");
}

std::string script_user() {
  return is_root() ? Scene::script_user_of_root : "65532";
}

bool has_restriction(const json& sandbox) {
  for (const json& note : sandbox.at("notes")) {
    if (note.at("note").get<std::string>().rfind("restricted by the operator: ", 0) == 0)
      return true;
  }
  return false;
}

}  // namespace

TEST_CASE("no policy of a core makes a dispatched script root") {
  const std::string policy = each_hostile_policy();
  INFO(policy);
  Scene scene(Scene::with_policy(policy));
  const auto run = scene.run(whoami);
  INFO(run.finished->error.value_or(""));
  check_harmless(run.finished->outcome, run.standard_output, script_user());
  if (!is_root()) return;
  CHECK(has_restriction(json::parse(run.finished->sandbox_json)));
  const std::string log = scene.satellite().log();
  CHECK(log.find("policy_restricted") != std::string::npos);
  CHECK(log.find("policy_restricted") == log.rfind("policy_restricted"));
}

TEST_CASE("no policy of a core makes an assigned check root") {
  const std::string policy = each_hostile_policy();
  INFO(policy);
  Scene::Options options = with_checks({shell_check("evil", whoami, 1)});
  options.core.policy = policy;
  Scene scene(std::move(options));
  const json entry = collector_of(nth_result(scene, "evil"));
  INFO(entry.dump(2));
  const bool refused = entry.contains("_collectorError");
  std::string output = entry.at("stdout");
  if (!refused && !output.empty() && output.back() != '\n') output += '\n';
  check_harmless(refused ? "refused" : "exited", output, script_user());
}

TEST_CASE("the command line starts nothing as root either, unless the operator says so") {
  const TempDir files;
  const std::string script_file = files.write("whoami.sh", whoami);
  const std::string policy = files.write("policy.json", each_hostile_policy());
  const auto result =
      run_satellite({"exec", script_file, "--policy", policy, "--json"}, shell_path);
  const json answer = json::parse(result.standard_output);
  check_harmless(answer.at("outcome"), answer.at("stdout"));
}

TEST_CASE("root scripts are possible where the operator wants them") {
  if (!require_layer("root", is_root(), "only root could start a script as root")) return;
  const TempDir files;
  const std::string script_file = files.write("id.sh", "id -u");
  const std::string policy = files.write("policy.json", R"({"enabled":false})");
  auto environment = shell_path;
  environment["CHECKSTACK_SATELLITE_ALLOW_ROOT_SCRIPTS"] = "true";
  environment["CHECKSTACK_SATELLITE_ALLOW_UNCONFINED"] = "true";
  const auto result =
      run_satellite({"exec", script_file, "--policy", policy, "--json"}, environment);
  const json answer = json::parse(result.standard_output);
  CHECK(answer.at("stdout") == "0\n");
  CHECK_FALSE(has_restriction(answer.at("sandbox")));
}

TEST_CASE("what the operator forbids holds for assigned checks as for dispatched scripts") {
  Scene::Options options = with_checks({shell_check("evil", "echo must not run", 1)});
  options.settings_file =
      "[sandbox]\nuid = 65532\n[operator]\nhealth_checks = false\nautomation = false\n";
  Scene scene(std::move(options));
  const json result = nth_result(scene, "evil");
  CHECK(result.at("status") == "unhealthy");
  CHECK(result.dump().find("operator.health_checks") != std::string::npos);
  CHECK(result.dump().find("must not run") == std::string::npos);
  for (const auto kind : {protocol::ScriptKind::health_check, protocol::ScriptKind::automation}) {
    auto message = script("echo no");
    message.kind = kind;
    const std::string id = message.run_id.text;
    scene.core().dispatch(std::move(message));
    const auto answered = scene.core().wait_answered(id);
    REQUIRE(answered);
    REQUIRE(answered->rejected);
    CHECK(answered->rejected->code == protocol::RejectionCode::forbidden);
  }
}

TEST_CASE("the operator's ceiling and longest time hold for a relayed policy, and are told") {
  const TempDir files;
  const std::string ceiling = files.write(
      "ceiling.json", R"({"resources":{"maxOutputBytes":64},"network":{"mode":"deny"}})");
  ::chmod(ceiling.c_str(), 0644);
  Scene::Options options = Scene::with_policy(open_network_policy);
  options.settings_file = "[operator]\nceiling = \"" + ceiling + "\"\ntimeout_max = 10\n";
  Scene scene(std::move(options));
  scene.wait_for_log("policy_restricted");
  const auto run = scene.run("seq 1 100000");
  CHECK(run.finished->outcome == "output_limit");
  const json sandbox = json::parse(run.finished->sandbox_json);
  CHECK(sandbox.at("requested").at("network").at("mode") == "deny");
  CHECK(sandbox.dump().find("network.mode unrestricted became deny") != std::string::npos);
  const auto slow = scene.run("sleep 60");
  CHECK(slow.finished->outcome == "timed_out");
  CHECK(slow.finished->sandbox_json.find("the timeout of 60000 ms became 10000 ms") !=
        std::string::npos);
}

TEST_CASE("plan and policy show say what the operator restricts") {
  const TempDir files;
  const std::string ceiling = files.write("ceiling.json", R"({"resources":{"cpuSeconds":7}})");
  ::chmod(ceiling.c_str(), 0644);
  auto environment = shell_path;
  environment["CHECKSTACK_SATELLITE_CEILING"] = ceiling;
  auto result = run_satellite({"plan"}, environment, "{}");
  REQUIRE(result.exit_code == 0);
  const json plan = json::parse(result.standard_output);
  CHECK(plan.at("limits").at("cpuSeconds") == 7);
  CHECK(has_restriction(plan.at("sandbox")));

  result = run_satellite({"policy", "show", "--effective"}, environment);
  REQUIRE(result.exit_code == 0);
  json shown = json::parse(result.standard_output);
  CHECK(shown.at("policy").at("resources").at("cpuSeconds") == 7);
  CHECK(shown.at("restrictions").size() == 1);
  result =
      run_satellite({"policy", "show", "-", "--effective"}, shell_path, R"({"enabled":false})");
  REQUIRE(result.exit_code == 0);
  shown = json::parse(result.standard_output);
  CHECK(shown.at("policy").at("enabled") == is_root());
  CHECK(shown.at("restrictions").empty() == !is_root());
}

TEST_CASE("the start-up log calls nothing missing that was not tried") {
  // A16: an allowlist on a host that has slirp4netns.
  Scene scene(Scene::with_policy(R"({"onUnavailable":"fail","filesystem":{"mode":"scratch-plus-ro"},
    "network":{"mode":"allowlist","allow":["192.0.2.1"]},"privilege":{"mode":"drop-to-uid"}})"));
  scene.wait_for_log("sandbox_capabilities");
  const std::string log = scene.satellite().log();
  CHECK(log.find("stays unrestricted") == std::string::npos);
  CHECK(log.find("offers neither") == std::string::npos);
}
