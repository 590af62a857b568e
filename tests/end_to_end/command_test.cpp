#include "tests/end_to_end/scene.hpp"
#include "tests/support/require_layer.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace satellite::tests;
using nlohmann::json;

namespace {

const std::map<std::string, std::string> path{
    {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};

}  // namespace

TEST_CASE("exec runs a script here under the shipped policy and prints output and report") {
  const TempDir files;
  const std::string file = files.write("check.sh", "echo out; echo err >&2; exit 3");
  const auto text = run_satellite({"exec", file}, path);
  CHECK(text.exit_code == 3);
  CHECK(text.standard_output == "out\n");
  CHECK(text.standard_error.find("err\n") != std::string::npos);
  CHECK(text.standard_error.find("network") != std::string::npos);

  const auto result = run_satellite({"exec", file, "--json"}, path);
  const json answer = json::parse(result.standard_output);
  CHECK(answer.at("outcome") == "exited");
  CHECK(answer.at("exitCode") == 3);
  CHECK(answer.at("stdout") == "out\n");
  CHECK(answer.at("stderr") == "err\n");
  CHECK(answer.at("outputTruncated") == false);
  CHECK(answer.at("durationMs").is_number_integer());
  CHECK(answer.at("sandbox").at("engine") == "native");
}

TEST_CASE("exec takes the engine that sandbox.engines leaves, and an unknown one is wrong usage") {
  const TempDir files;
  const std::string file = files.write("check.sh", "echo out");
  const auto with_engines = [&](const char* engines) {
    auto environment = path;
    environment["CHECKSTACK_SANDBOX_ENGINES"] = engines;
    return run_satellite({"exec", file, "--json"}, environment);
  };
  const auto wrong = with_engines("native,firejail");
  CHECK(wrong.exit_code == 2);
  CHECK(wrong.standard_error.find("sandbox.engines") != std::string::npos);
  CHECK(wrong.standard_error.find("firejail") != std::string::npos);
  CHECK(json::parse(with_engines("bwrap").standard_output).at("sandbox").at("engine") == "bwrap");
  const json by_nsjail = json::parse(with_engines("nsjail").standard_output);
  const bool there = by_nsjail.at("outcome") == "exited";
  if (!require_part("nsjail", there, by_nsjail.value("error", ""))) return;
  CHECK(by_nsjail.at("stdout") == "out\n");
  CHECK(by_nsjail.at("sandbox").at("engine") == "nsjail");
}

TEST_CASE("exec takes a policy and refuses what nobody can enforce") {
  const TempDir files;
  const std::string file = files.write("check.sh", "echo ran");
  const std::string policy = files.write(
      "policy.json",
      R"({"onUnavailable":"fail","network":{"mode":"allowlist","allow":["10.0.0.1/8"]}})");
  const auto result = run_satellite({"exec", file, "--policy", policy, "--json"}, path);
  const json answer = json::parse(result.standard_output);
  CHECK(result.exit_code == 125);
  CHECK(answer.at("outcome") == "refused");
  CHECK(answer.at("stdout") == "");
}

TEST_CASE("a wrong input of exec is named, with exit code 2") {
  const TempDir files;
  const std::string file = files.write("check.sh", "echo ran");
  const std::string bad = files.write("bad.json", "{\"enabled\":1}");
  for (const auto& [arguments, words] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"exec", "/nonexistent"}, "/nonexistent"},
           {{"exec", file, "--policy", "/nonexistent"}, "/nonexistent"},
           {{"exec", file, "--policy", bad}, "enabled"}}) {
    const auto result = run_satellite(arguments, path);
    CHECK(result.exit_code == 2);
    CHECK(result.standard_error.find(words) != std::string::npos);
    CHECK(result.standard_output.empty());
  }
}

TEST_CASE("run names a missing or malformed setting, its source and the remedy, and exits with 2") {
  auto result = run_satellite({"run"}, path);
  CHECK(result.exit_code == 2);
  CHECK(result.standard_error.find("CHECKSTACK_CORE_URL") != std::string::npos);

  auto environment = path;
  environment["CHECKSTACK_CORE_URL"] = "http://core.example.org";
  environment["CHECKSTACK_SATELLITE_CLIENT_ID"] = "x";
  environment["CHECKSTACK_SATELLITE_TOKEN"] = "csat_x";
  result = run_satellite({"run"}, environment);
  CHECK(result.exit_code == 2);
  CHECK(result.standard_error.find("core") != std::string::npos);
  CHECK(result.standard_error.find("https") != std::string::npos);
  CHECK(result.standard_error.find("csat_x") == std::string::npos);
}

TEST_CASE("check-config prints every setting with its source and never the token") {
  auto environment = path;
  environment["CHECKSTACK_CORE_URL"] = "https://core.example.org/";
  environment["CHECKSTACK_SATELLITE_CLIENT_ID"] = "satellite-1";
  environment["CHECKSTACK_SATELLITE_TOKEN"] = "csat_x";
  const auto result = run_satellite({"check-config", "--concurrency", "3"}, environment);
  CHECK(result.exit_code == 0);
  CHECK(result.standard_output.find("wss://core.example.org/api/ws/satellite") !=
        std::string::npos);
  CHECK(result.standard_output.find("option --concurrency") != std::string::npos);
  CHECK(result.standard_output.find("environment CHECKSTACK_SATELLITE_CLIENT_ID") !=
        std::string::npos);
  CHECK(result.standard_output.find("csat_x") == std::string::npos);
}

TEST_CASE("plan answers for this host and for any other") {
  auto result = run_satellite({"plan"}, path, "{}");
  REQUIRE(result.exit_code == 0);
  json answer = json::parse(result.standard_output);
  CHECK(answer.at("decision") == "run");
  CHECK(answer.at("steps").at(0) == "engine: native");
  result = run_satellite({"plan"}, path, R"({"caps":{"platform":"linux"}})");
  REQUIRE(result.exit_code == 0);
  answer = json::parse(result.standard_output);
  CHECK(answer.at("decision") == "refuse");
  result = run_satellite({"plan"}, path, R"({"policy":{"enabled":1}})");
  CHECK(result.exit_code == 2);
}

TEST_CASE("policy shows, checks and merges") {
  auto result = run_satellite({"policy", "show"}, path);
  CHECK(json::parse(result.standard_output).at("onUnavailable") == "fail");
  result = run_satellite({"policy", "check", "-"}, path, R"({"network":{"allow":["10.0.0.1/8"]}})");
  CHECK(result.exit_code == 2);
  CHECK(result.standard_error.find("10.0.0.1/8") != std::string::npos);
  result = run_satellite({"policy", "merge", "-"}, path, R"({"network":{"mode":"deny"}})");
  const json merged = json::parse(result.standard_output);
  CHECK(merged.at("network").at("mode") == "deny");
  CHECK(merged.at("filesystem").at("mode") == "scratch-plus-ro");
}

TEST_CASE("doctor says what this host can do, in words and as JSON") {
  const auto text = run_satellite({"doctor"}, path);
  CHECK(text.exit_code == 0);
  const auto result = run_satellite({"doctor", "--json"}, path);
  const json answer = json::parse(result.standard_output);
  CHECK(answer.at("ready") == true);
  CHECK(answer.at("capabilities").size() >= 5);
}

TEST_CASE("the demo shows its four things and says so by its exit code") {
  const auto result = run_satellite({"demo"}, path);
  INFO(result.standard_output << result.standard_error);
  CHECK(result.exit_code == 0);
  for (const char* words : {"passes", "refused the network", "output cap", "reconnect"}) {
    CHECK(result.standard_output.find(words) != std::string::npos);
  }
}
