#include "tests/unit/protocol/decoded.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <tuple>

using namespace satellite;
using namespace satellite::protocol;
using satellite::tests::decoded;
using satellite::tests::refused;

namespace {

const std::string least =
    R"({"type":"run_script","runId":"r-1","kind":"automation","language":"shell","script":"true",)"
    R"("timeoutMs":1000})";

/// The least run_script with one member added or replaced.
std::string least_with(const std::string& member) {
  return tests::with_member(least, member);
}

std::string quoted(std::size_t size) {
  return "\"" + std::string(size, 'x') + "\"";
}

}  // namespace

TEST_CASE("a run_script with every member is read") {
  const auto run = decoded<RunScript>(
      R"({"type":"run_script","runId":"A.b_c:9-","kind":"health-check","language":"module",
          "script":"export default 1","timeoutMs":3600000,"env":{"A":"1","B":""},
          "secretEnv":{"TOKEN":"hush"},"context":{"z":1,"a":[1.0, 2]},"workingDirectory":"/srv",
          "stdin":"in\u0000put","priority":"high","startBefore":"2026-03-04T05:06:07.089Z",
          "future":true})");
  CHECK(run.run_id == RunId("A.b_c:9-"));
  CHECK(run.kind == ScriptKind::health_check);
  CHECK(run.language == ScriptLanguage::module);
  CHECK(run.script == "export default 1");
  CHECK(run.timeout == std::chrono::hours(1));
  CHECK(run.environment == std::map<std::string, std::string>{{"A", "1"}, {"B", ""}});
  CHECK(run.secret_environment.at("TOKEN").reveal() == "hush");
  CHECK(run.context_json == R"({"z":1,"a":[1.0, 2]})");
  CHECK(run.working_directory == "/srv");
  CHECK(run.standard_input == std::string("in\0put", 6));
  CHECK(run.priority == ScriptPriority::high);
  REQUIRE(run.start_before);
  CHECK(run.start_before->time_since_epoch() == std::chrono::milliseconds(1'772'600'767'089));
}

TEST_CASE("a run_script with the least has the defaults of the specification") {
  const auto run = decoded<RunScript>(least);
  CHECK(run.kind == ScriptKind::automation);
  CHECK(run.timeout == std::chrono::seconds(1));
  CHECK(run.environment.empty());
  CHECK_FALSE(run.context_json.has_value());
  CHECK_FALSE(run.standard_input.has_value());
  CHECK(run.priority == ScriptPriority::normal);
  CHECK_FALSE(run.start_before.has_value());
}

TEST_CASE("an invalid run_script that names its run can be answered") {
  const auto [member, path] = GENERATE(table<std::string, std::string>({
      {R"("kind":"healthcheck")", "$.kind: "},
      {R"("language":"python")", "$.language: "},
      {R"("script":null)", "$.script: "},
      {R"("script":"a\u0000b")", "$.script: "},
      {R"("timeoutMs":99)", "$.timeoutMs: "},
      {R"("timeoutMs":3600001)", "$.timeoutMs: "},
      {R"("timeoutMs":1000.5)", "$.timeoutMs: "},
      {R"("timeoutMs":"1000")", "$.timeoutMs: "},
      {R"("env":[])", "$.env: "},
      {R"("env":{"A":1})", "$.env.A: "},
      {R"("env":{"":"x"})", "$.env: "},
      {R"("env":{"A=B":"x"})", "$.env: "},
      {R"("env":{"A\u0000":"x"})", "$.env: "},
      {R"("env":{"A":"x\u0000"})", "$.env: "},
      {R"("secretEnv":{"A":null})", "$.secretEnv.A: "},
      {R"("secretEnv":{"A":"hush\u0000hush"})", "$.secretEnv: "},
      {R"("workingDirectory":"")", "$.workingDirectory: "},
      {R"("workingDirectory":"/a\u0000")", "$.workingDirectory: "},
      {R"("stdin":5)", "$.stdin: "},
      {R"("priority":"urgent")", "$.priority: "},
      {R"("startBefore":"tomorrow")", "$.startBefore: "},
      {R"("startBefore":1772600767)", "$.startBefore: "},
  }));
  CAPTURE(member);
  const auto rejected = decoded<RejectedRunScript>(least_with(member));
  CHECK(rejected.run_id == RunId("r-1"));
  CHECK(rejected.code == RejectionCode::invalid);
  CHECK(rejected.message.substr(0, path.size()) == path);
  CHECK(rejected.message.find("hush") == std::string::npos);
}

TEST_CASE("a run_script whose run id cannot be read cannot be answered") {
  const auto id = GENERATE(values<std::string>(
      {"\"\"", "\"a b\"", "\"a/b\"", "\"\\u00e9\"", "7", "null", "[\"r\"]", quoted(129)}));
  CAPTURE(id);
  CHECK(refused(least_with("\"runId\":" + id)).message.substr(0, 9) == "$.runId: ");
}

TEST_CASE("the longest run id of 128 characters is accepted") {
  CHECK(decoded<RunScript>(least_with("\"runId\":" + quoted(128))).run_id.text.size() == 128);
}

TEST_CASE("script, standard input and context are bounded at one mebibyte each") {
  const auto name = GENERATE(values<std::string>({"script", "stdin", "context"}));
  CAPTURE(name);
  constexpr std::size_t mebibyte = 1024 * 1024;
  // The bound of a context counts its JSON text, quotes and all.
  const std::size_t fits = name == "context" ? mebibyte - 2 : mebibyte;
  CHECK(decoded<RunScript>(least_with("\"" + name + "\":" + quoted(fits))).run_id == RunId("r-1"));
  CHECK(decoded<RejectedRunScript>(least_with("\"" + name + "\":" + quoted(fits + 1)))
            .message.substr(0, name.size() + 4) == "$." + name + ": ");
}

TEST_CASE("a script of escapes counts by what it means, not by how it is spelled") {
  std::string script;
  for (int i = 0; i < 300'000; ++i) script += "\\u0041";
  CHECK(decoded<RunScript>(least_with("\"script\":\"" + script + "\"")).script.size() == 300'000);
}

TEST_CASE("the environment keeps to what execve takes") {
  // name, equals sign, value and zero byte may fill 128 KiB.
  constexpr std::size_t value_max = 131'072 - 3;
  CHECK(decoded<RunScript>(least_with("\"env\":{\"A\":" + quoted(value_max) + "}"))
            .environment.size() == 1);
  CHECK(decoded<RejectedRunScript>(least_with("\"env\":{\"A\":" + quoted(value_max + 1) + "}"))
            .message.substr(0, 9) == "$.env.A: ");
}

TEST_CASE("plain and secret environment are bounded together") {
  const auto entries = [](const std::string& prefix, std::size_t count) {
    std::string object = "{";
    for (std::size_t i = 0; i < count; ++i) {
      object += (i == 0 ? "\"" : ",\"") + prefix + std::to_string(i) + "\":\"\"";
    }
    return object + "}";
  };
  const auto run = [&](std::size_t plain, std::size_t secret) {
    return least_with("\"env\":" + entries("P", plain) + ",\"secretEnv\":" + entries("S", secret));
  };
  CHECK(decoded<RunScript>(run(1000, 24)).secret_environment.size() == 24);
  CHECK(decoded<RejectedRunScript>(run(1000, 25)).code == RejectionCode::invalid);
  CHECK(decoded<RejectedRunScript>(run(1025, 0)).code == RejectionCode::invalid);
}
