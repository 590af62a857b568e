#include "tests/end_to_end/scene.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

using namespace satellite;
using namespace satellite::tests;
using nlohmann::json;

namespace {

json finished_report(const devcore::CollectedRun& run) {
  return json::parse(run.finished->sandbox_json);
}

bool has_fail_closed_downgrade(const json& sandbox) {
  for (const json& downgrade : sandbox.at("downgrades")) {
    if (downgrade.at("reason").get<std::string>().find("fail-closed") != std::string::npos) {
      return true;
    }
  }
  return false;
}

bool has_note(const json& sandbox, const std::string& words) {
  for (const json& note : sandbox.at("notes")) {
    if (note.at("note").get<std::string>().find(words) != std::string::npos) return true;
  }
  return false;
}

constexpr const char* allowlist_policy = R"({"onUnavailable":"fail",
  "filesystem":{"mode":"scratch-plus-ro"},
  "network":{"mode":"allowlist","allow":["192.0.2.1/24"]},"privilege":{"mode":"drop-to-uid"}})";

}  // namespace

TEST_CASE("without a policy the fail-closed profile is in force and every report says so") {
  Scene scene(Scene::with_policy(std::nullopt));
  const auto run = scene.run("echo ran");
  CHECK(run.standard_output == "ran\n");
  const json sandbox = finished_report(run);
  CHECK(has_fail_closed_downgrade(sandbox));
  CHECK(sandbox.at("requested").at("network").at("mode") == "deny");
}

TEST_CASE("an invalid policy leaves the last valid one in force, and every report says so") {
  Scene scene(Scene::with_policy(policy_with_output_cap(4'096)));
  CHECK_FALSE(has_note(finished_report(scene.run("true")), "is not valid"));
  const auto invalid = GENERATE(as<std::string>{}, "null", "{\"enabled\":\"yes\"}",
                                "{\"enabled\":false,\"surprise\":1}", "[]");
  scene.core().push_policy(invalid);
  scene.wait_for_log("policy_invalid");
  scene.wait_for_log("the last valid policy stays in force");
  for (int run = 0; run < 2; ++run) {
    const json kept = finished_report(scene.run("true"));
    CHECK(has_note(kept, "is not valid"));
    CHECK_FALSE(has_fail_closed_downgrade(kept));
    CHECK(kept.at("requested").at("onUnavailable") == "fail");
    CHECK(kept.at("requested").at("resources").at("maxOutputBytes") == 4'096);
  }
  scene.core().push_policy(default_policy);
  eventually("the valid policy is in force",
             [&] { return !has_note(finished_report(scene.run("true")), "is not valid"); });
}

TEST_CASE("an invalid policy does not loosen one that refuses") {
  Scene scene(Scene::with_policy(allowlist_policy));
  CHECK(scene.run("echo must not run").finished->outcome == "refused");
  std::string with_a_new_key = allowlist_policy;
  with_a_new_key.insert(1, "\"surprise\":1,");
  scene.core().push_policy(with_a_new_key);
  scene.wait_for_log("policy_invalid");
  const auto run = scene.run("echo must not run");
  CHECK(run.finished->outcome == "refused");
  CHECK(run.output_bytes == 0);
}

TEST_CASE("where no policy ever was valid the fail-closed profile holds, and the reason is told") {
  Scene scene(Scene::with_policy(R"({"enabled":false,"surprise":1})"));
  scene.wait_for_log("policy_invalid");
  const json closed = finished_report(scene.run("true"));
  CHECK(has_fail_closed_downgrade(closed));
  CHECK(has_note(closed, "surprise"));
  CHECK(closed.at("requested").at("network").at("mode") == "deny");
  CHECK(closed.at("requested").at("enabled") == true);
}

TEST_CASE("a policy pushed in mid-session holds for the next run") {
  Scene scene;
  CHECK(scene.run("seq 1 100000 | tail -1").standard_output == "100000\n");
  scene.core().push_policy(policy_with_output_cap(64));
  eventually("the next run gets the new cap",
             [&] { return scene.run("seq 1 100000").finished->outcome == "output_limit"; });
}

TEST_CASE("a layer that cannot be had under `fail` refuses the run before it starts") {
  // An address with a prefix that cuts it off is no destination, on whatever host: no filter can be
  // made of it, and the answer must never be an unfiltered network.
  Scene scene(Scene::with_policy(allowlist_policy));
  const auto run = scene.run("echo must not run");
  CHECK(run.finished->outcome == "refused");
  CHECK(run.finished->exit_code == -1);
  CHECK_FALSE(run.started);
  CHECK(run.output_bytes == 0);
  REQUIRE(run.finished->error);
  CHECK(run.finished->error->rfind("sandbox unavailable: network", 0) == 0);
  const json sandbox = finished_report(run);
  CHECK(sandbox.at("enforced").at("network") == false);
  CHECK(sandbox.at("downgrades").at(0).at("layer") == "network");
}

TEST_CASE("a script without egress reaches nothing that one on the host's network reaches") {
  Scene scene;
  const std::string port = std::to_string(scene.core().port());
  const std::string connect = "exec 3<>/dev/tcp/127.0.0.1/" + port + " && echo connected";
  const std::string text = "bash -c '" + connect + "' || echo refused";
  CHECK(scene.run(text).standard_output == "refused\n");
  scene.core().push_policy(open_network_policy);
  eventually("the open policy lets it connect",
             [&] { return scene.run(text).standard_output == "connected\n"; });
}

TEST_CASE("a policy that is switched off runs the script unconfined and reports nothing enforced") {
  Scene::Options options = Scene::with_policy("{\"enabled\":false}");
  // Under root it takes two words of the operator.
  options.settings_file = "[operator]\nallow_unconfined = \"true\"\nallow_root_scripts = true\n";
  Scene scene(std::move(options));
  const auto run = scene.run("echo free");
  CHECK(run.standard_output == "free\n");
  const json sandbox = finished_report(run);
  CHECK(sandbox.at("requested").at("enabled") == false);
  for (const json& enforced : sandbox.at("enforced")) CHECK(enforced == false);
}

TEST_CASE("a script is never the host's root, whoever started the satellite") {
  Scene::Options options = Scene::with_policy(default_policy);
  options.settings_file = "# as it comes\n";
  Scene scene(std::move(options));
  const auto run = scene.run("id -u; cat /etc/shadow >/dev/null 2>&1 && echo readable");
  CHECK(run.standard_output == "65532\n");
  const json sandbox = json::parse(run.started->sandbox_json);
  CHECK(sandbox.at("enforced").at("privilege") == true);
}

TEST_CASE("a core with a policy store relays its default, merges changes and keeps them") {
  const TempDir files;
  Scene::Options options;
  options.core.policy_store = files.path() / "policy.json";
  Scene scene(std::move(options));
  const auto requested = [&scene] { return finished_report(scene.run("true")).at("requested"); };
  CHECK(requested().at("onUnavailable") == "fail");
  CHECK_FALSE(std::filesystem::exists(files.path() / "policy.json"));

  CHECK(scene.core().change_policy(R"({"resources":{"maxOpenFiles":77}})").has_value());
  eventually("the change arrived",
             [&] { return requested().at("resources").at("maxOpenFiles") == 77; });
  CHECK(requested().at("network").at("mode") == "allowlist");

  const auto refused = scene.core().change_policy(R"({"resources":{"maxOpenFiles":0}})");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::invalid_input);
  CHECK(requested().at("resources").at("maxOpenFiles") == 77);

  scene.stop_core();
  scene.start_core();
  REQUIRE(scene.core().wait_until_authenticated());
  eventually("the next core relays what was kept",
             [&] { return requested().at("resources").at("maxOpenFiles") == 77; });
}
