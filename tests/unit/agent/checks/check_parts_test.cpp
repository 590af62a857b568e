#include "agent/checks/check_result.hpp"
#include "agent/checks/collector_outcome.hpp"
#include "agent/checks/config/collector_config.hpp"
#include "agent/checks/config/config_secrets.hpp"
#include "agent/checks/config/secret_reference.hpp"
#include "agent/checks/config/shell_variables.hpp"
#include "protocol/encode.hpp"
#include "sandbox/policy/policy_provider.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace satellite;
using namespace satellite::agent;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

ResultIdentity identity(std::optional<std::string> environment = std::nullopt) {
  ResultIdentity made{ConfigId("c-1"), SystemId("sys-pay"), std::move(environment), {}};
  made.executed_at = std::chrono::system_clock::time_point(1'772'600'767'089ms);
  return made;
}

json frame_of(const protocol::CheckResult& result) {
  return json::parse(protocol::encode(protocol::AgentMessage(result)));
}

CollectorOutcome shell_end(ExecuteOutcome end) {
  CollectorOutcome collector;
  collector.entry_id = "5e0d";
  collector.collector_id = "healthcheck-script.execute";
  collector.outcome = std::move(end);
  return collector;
}

constexpr ByteCount sixteen_mib{16U << 20U};

}  // namespace

TEST_CASE("shapes A and B: a check that never ran says why and took no time") {
  const auto frame = frame_of(
      result_without_run(identity(), "Strategy healthcheck-ssh.ssh not found in satellite"));
  CHECK(frame == json::parse(R"({"type":"result","configId":"c-1","systemId":"sys-pay",
    "environmentId":null,"status":"unhealthy","latencyMs":0,
    "executedAt":"2026-03-04T05:06:07.089Z","result":{"status":"unhealthy","latencyMs":0,
    "message":"Strategy healthcheck-ssh.ssh not found in satellite","metadata":{"connected":false,
    "error":"Strategy healthcheck-ssh.ssh not found in satellite"}}})"));
}

TEST_CASE("shape C: a client that could not be made has a real latency and no collectors") {
  const auto frame = frame_of(result_without_run(identity(), "", 12ms));
  CHECK(frame.at("latencyMs") == 12);
  CHECK(frame.at("result") == json::parse(R"({"status":"unhealthy","latencyMs":12,
    "message":"Connection failed","metadata":{"connected":false,"error":"Connection failed"}})"));
}

TEST_CASE("shape D: a healthy run, with our additions inside the collector only") {
  auto collector = shell_end({0, "depth=3", "", 42ms, true, false});
  collector.sandbox.emplace();
  collector.sandbox->engine = "native";
  collector.dropped_environment = {"LD_PRELOAD"};
  auto frame = frame_of(result_of_run(identity("env-eu"), {44ms, 0ms}, {collector}, sixteen_mib));
  json& entry = frame.at("result").at("metadata").at("collectors").at("5e0d");
  CHECK(entry.at("_sandbox").at("engine") == "native");
  CHECK(entry.at("_sandbox").at("downgrades").empty());
  CHECK_FALSE(entry.at("_sandbox").contains("notes"));
  CHECK(entry.at("_sandbox").at("enforced").size() == 4);
  CHECK(entry.at("outputTruncated") == false);
  CHECK(entry.at("droppedEnv") == json::array({"LD_PRELOAD"}));
  for (const char* ours : {"_sandbox", "outputTruncated", "droppedEnv"}) entry.erase(ours);
  CHECK(frame == json::parse(R"({"type":"result","configId":"c-1","systemId":"sys-pay",
    "environmentId":"env-eu","status":"healthy","latencyMs":44,
    "executedAt":"2026-03-04T05:06:07.089Z","result":{"status":"healthy","latencyMs":44,
    "message":"Completed in 44ms","metadata":{"connected":true,"connectionTimeMs":0,"collectors":
    {"5e0d":{"_collectorId":"healthcheck-script.execute","exitCode":0,"stdout":"depth=3",
    "stderr":"","executionTimeMs":42,"success":true,"timedOut":false}}}}})"));
}

TEST_CASE("shape E: a timeout is a collector error, and what the script had said is kept") {
  sandbox::RunResult run;
  run.outcome = sandbox::Outcome::timed_out;
  CollectedStreams streams;
  streams.standard_output = GENERATE(as<std::string>{}, "", "half way\n");
  auto end = shell_collector_outcome(run, streams, {15'007ms, false, false});
  REQUIRE(end);
  end->entry_id = "5e0d";
  end->collector_id = "healthcheck-script.execute";
  const auto result =
      frame_of(result_of_run(identity(), {15'009ms, 0ms}, {*end}, sixteen_mib)).at("result");
  CHECK(result.at("message") == "Check failed: Script execution timed out");
  CHECK(result.at("status") == "unhealthy");
  json entry = result.at("metadata").at("collectors").at("5e0d");
  CHECK(entry.at("stdout") == (streams.standard_output.empty() ? "" : "half way"));
  for (const char* name : {"_sandbox", "outputTruncated", "stdout"}) entry.erase(name);
  CHECK(entry == json::parse(R"({"_collectorId":"healthcheck-script.execute",
    "_collectorError":"Script execution timed out","exitCode":-1,
    "stderr":"Script execution timed out","executionTimeMs":15007,"success":false,
    "timedOut":true})"));
}

TEST_CASE("shape F: a collector that threw has its error and nothing else, the first one speaks") {
  CollectorOutcome thrown;
  thrown.entry_id = "c2";
  thrown.collector_id = "healthcheck-script.execute";
  thrown.outcome = ThrownOutcome{"Error: Secret not found: pay_token"};
  CollectorOutcome later = thrown;
  later.entry_id = "c3";
  later.outcome = ThrownOutcome{"Error: another"};
  const auto healthy = shell_end({0, "", "", 1ms, true, false});
  const auto result =
      frame_of(result_of_run(identity(), {2ms, 0ms}, {healthy, thrown, later}, sixteen_mib))
          .at("result");
  CHECK(result.at("message") == "Check failed: Error: Secret not found: pay_token");
  CHECK(result.at("metadata").at("collectors").at("c2") ==
        json::parse(R"({"_collectorId":"healthcheck-script.execute",
                        "error":"Error: Secret not found: pay_token"})"));
}

TEST_CASE("an inline result leaves out what it does not have and writes whole numbers whole") {
  CollectorOutcome collector;
  collector.entry_id = "c1";
  collector.collector_id = "healthcheck-script.inline-script";
  InlineScriptOutcome end;
  end.success = true;
  end.value = 42;
  end.took = 136ms;
  collector.outcome = end;
  const auto frame = frame_of(result_of_run(identity(), {154ms, 1ms}, {collector}, sixteen_mib));
  json entry = frame.at("result").at("metadata").at("collectors").at("c1");
  entry.erase("outputTruncated");
  CHECK(entry.dump() ==
        R"({"_collectorId":"healthcheck-script.inline-script","executionTimeMs":136,)"
        R"("success":true,"timedOut":false,"value":42})");
}

TEST_CASE("a result past the frame limit is cut on code points and says so, short ones stay") {
  const ByteCount small{200U << 10U};
  const std::string unit = GENERATE(as<std::string>{}, "x", "\x01", "\u20ac", "\"");
  std::string long_text;
  while (long_text.size() < 300'000) long_text += unit;
  auto big = shell_end({0, long_text, "short", 1ms, true, false});
  auto other = shell_end({0, "kept whole", "", 1ms, true, false});
  other.entry_id = "other";
  const auto message = result_of_run(identity(), {2ms, 0ms}, {big, other}, small);
  const std::string text = protocol::encode(protocol::AgentMessage(message));
  CHECK(text.size() <= small.value);
  CHECK(text.size() > 90U << 10U);
  const json collectors = json::parse(text).at("result").at("metadata").at("collectors");
  CHECK(collectors.at("5e0d").at("outputTruncated") == true);
  CHECK(collectors.at("5e0d").contains("_outputNote"));
  CHECK(collectors.at("5e0d").at("stderr") == "short");
  CHECK(collectors.at("5e0d").at("stdout").get<std::string>().size() % unit.size() == 0);
  CHECK(collectors.at("other").at("stdout") == "kept whole");
  CHECK_FALSE(collectors.at("other").contains("_outputNote"));
}

TEST_CASE("how a script ended decides what its collector reports") {
  struct Row {
    sandbox::Outcome outcome;
    int exit_code;
    bool error, success;
    int reported;
  };
  using sandbox::Outcome;
  const auto row = GENERATE(values<Row>({
      {Outcome::exited, 0, false, true, 0},
      {Outcome::exited, 3, false, false, 3},
      {Outcome::signaled, 137, false, false, 137},
      {Outcome::timed_out, -1, true, false, -1},
      {Outcome::output_limit, -1, false, false, 143},
      {Outcome::memory_limit, -1, true, false, 137},
      {Outcome::refused, -1, true, false, -1},
      {Outcome::setup_failed, -1, true, false, -1},
  }));
  sandbox::RunResult run;
  run.outcome = row.outcome;
  run.exit_code = row.exit_code;
  run.error = "sandbox unavailable: network: no";
  const auto end = shell_collector_outcome(run, {}, {});
  REQUIRE(end);
  const auto& shell = std::get<ExecuteOutcome>(end->outcome);
  INFO(sandbox::name_of(row.outcome));
  CHECK(end->error.has_value() == row.error);
  CHECK(shell.success == row.success);
  CHECK(shell.exit_code == row.reported);
}

TEST_CASE("a run nobody wants any more has no result, one past its deadline has an error") {
  sandbox::RunResult run;
  run.outcome = GENERATE(sandbox::Outcome::cancelled, sandbox::Outcome::interrupted);
  CHECK_FALSE(shell_collector_outcome(run, {}, {1ms, false, false}));
  const auto late = shell_collector_outcome(run, {}, {1ms, false, true});
  REQUIRE(late);
  CHECK(late->error);
  CHECK(std::get<ExecuteOutcome>(late->outcome).timed_out);
}

TEST_CASE("without a policy even a script that exits 0 is unhealthy, and the reason is told") {
  sandbox::RunResult run;
  run.outcome = sandbox::Outcome::exited;
  run.exit_code = 0;
  const auto end = shell_collector_outcome(run, {}, {1ms, true, false});
  REQUIRE(end);
  CHECK(end->error == sandbox::fail_closed_reason);
  CHECK_FALSE(std::get<ExecuteOutcome>(end->outcome).success);
}

TEST_CASE("a script may say ${{ secrets.X }}, but may not be a marker, other fields may neither") {
  const auto scan = [](const char* config) {
    return has_unresolved_secrets(config, SecretScan::all_but_script_text);
  };
  CHECK_FALSE(scan(R"({"script":"echo ${{ secrets.X }}"})"));
  CHECK(scan(R"({"script":"__hcsecret__:1"})"));
  CHECK(scan(R"({"script":"x","env":{"A":"${{ secrets.X }}"}})"));
  CHECK(scan(R"({"script":"x","cwd":"__hcsecret__:1"})"));
  CHECK_FALSE(scan(R"({"script":"x","secretEnv":{"A":"${{ secrets.X }}"}})"));
  CHECK_FALSE(scan(R"({"a":{"secretEnv":{"deep":["__hcsecret__:1"]}}})"));
  CHECK_FALSE(scan("not json"));
}

TEST_CASE("applied secrets are handed back for masking, and only where they had a place") {
  std::map<std::string, Secret> values;
  values.emplace("env.PASSWORD", Secret("hunter22"));
  values.emplace("env.NOWHERE", Secret("lost-value"));
  const auto resolved = apply_config_secrets(R"({"env":{"PASSWORD":"__hcsecret__:1"}})", values);
  CHECK(resolved.json.reveal() == R"({"env":{"PASSWORD":"hunter22"}})");
  REQUIRE(resolved.values.size() == 1);
  CHECK(resolved.values[0].reveal() == "hunter22");
}

TEST_CASE("an empty error of a collector is told and fails nothing") {
  auto collector = shell_end({0, "", "", 1ms, true, false});
  collector.error = "";
  const auto frame = frame_of(result_of_run(identity(), {2ms, 0ms}, {collector}, sixteen_mib));
  CHECK(frame.at("status") == "healthy");
  CHECK(frame.at("result").at("message") == "Completed in 2ms");
  CHECK(frame.at("result").at("metadata").at("collectors").at("5e0d").at("_collectorError") == "");
  collector.error = "broken";
  const auto failed = frame_of(result_of_run(identity(), {2ms, 0ms}, {collector}, sixteen_mib));
  CHECK(failed.at("status") == "unhealthy");
}

TEST_CASE(
    "a path of a configured secret skips empty segments and takes a word in brackets as key") {
  struct Row {
    const char* path;
    const char* config;
  };
  const auto row = GENERATE(values<Row>({
      {"b..c", R"({"b":{"c":"SECRET","list":["m",{"e":"m"}]},"0":"m"})"},
      {".b.c.", R"({"b":{"c":"SECRET","list":["m",{"e":"m"}]},"0":"m"})"},
      {"b[c]", R"({"b":{"c":"SECRET","list":["m",{"e":"m"}]},"0":"m"})"},
      {"[b][c]", R"({"b":{"c":"SECRET","list":["m",{"e":"m"}]},"0":"m"})"},
      {"b.list[1].e", R"({"b":{"c":"m","list":["m",{"e":"SECRET"}]},"0":"m"})"},
      {"b.list[0]", R"({"b":{"c":"m","list":["SECRET",{"e":"m"}]},"0":"m"})"},
      {"b.list.0", R"({"b":{"c":"m","list":["m",{"e":"m"}]},"0":"m"})"},
      {"b.list[2]", R"({"b":{"c":"m","list":["m",{"e":"m"}]},"0":"m"})"},
      {"b.list[99999999999999999999]", R"({"b":{"c":"m","list":["m",{"e":"m"}]},"0":"m"})"},
      {"", R"({"b":{"c":"m","list":["m",{"e":"m"}]},"0":"m"})"},
      {"..", R"({"b":{"c":"m","list":["m",{"e":"m"}]},"0":"m"})"},
  }));
  INFO(row.path);
  std::map<std::string, Secret> values;
  values.emplace(row.path, Secret("SECRET"));
  const auto resolved =
      apply_config_secrets(R"({"b":{"c":"m","list":["m",{"e":"m"}]},"0":"m"})", values);
  CHECK(resolved.json.reveal() == row.config);
}

TEST_CASE("a command that is no text migrates to an empty word, an inline timeout may be broken") {
  CHECK(migrated_execute_config(R"({"command":5})") == R"({"script":"''","timeout":30000.0})");
  CHECK(validate_inline_script_config(R"({"script":"x","timeout":1000.5})").issues.empty());
  CHECK(
      validate_inline_script_config(R"({"script":"x","timeout":1000.5})").config.timeout.count() ==
      1000.5);
  CHECK_FALSE(validate_execute_config(R"({"script":"x","timeout":1000.5})").issues.empty());
}

TEST_CASE("the secret inside a value that the core interpolated is known") {
  const auto parts = [](const char* reference, const char* value) {
    std::vector<std::string> texts;
    for (const Secret& secret : secrets_inside(reference, value)) {
      texts.emplace_back(secret.reveal());
    }
    return texts;
  };
  using Texts = std::vector<std::string>;
  CHECK(parts("user:${{ secrets.x }}@host", "user:p@ss:w@host") == Texts{"p@ss:w"});
  CHECK(parts("${{secrets.x}}", "whole") == Texts{"whole"});
  CHECK(parts("a ${{ secrets.u }}:${{ secrets.p }}", "a joe:pa55") == Texts{"joe", "pa55"});
  // Two ways to divide: the parts of both.
  CHECK(parts("${{ secrets.u }}:${{ secrets.p }}", "a:b:c") == Texts{"a", "b:c", "a:b", "c"});
  CHECK(parts("${{ secrets.u }}${{ secrets.p }}", "anything").empty());
  CHECK(parts("user:${{ secrets.x }}@host", "another text").empty());
  CHECK(parts("user:${{ secrets.x }}@host", "user:@hos").empty());
  CHECK(parts("bare_name", "value").empty());
  CHECK(parts("${{ secret.x }}", "value").empty());
  const std::string many(1000, ':');
  CHECK(secrets_inside("${{ secrets.a }}:${{ secrets.b }}:${{ secrets.c }}", many).size() < 64);
  CHECK(parts("${{secrets.a}}aa${{secrets.b}}aab${{secrets.c}}", "aaaaab") == Texts{"a"});
  CHECK(parts("${{secrets.a}},${{secrets.b}};${{secrets.c}}", "1,2,3;4") ==
        Texts{"1", "2,3", "4", "1,2", "3"});
}

TEST_CASE("no text and value of a core make looking for secrets inside slow, deep or large") {
  constexpr std::size_t value_size_max = 256U << 10U;
  const auto size_of = [](const std::vector<Secret>& secrets) {
    std::size_t size = 0;
    for (const Secret& secret : secrets) size += secret.reveal().size();
    return size;
  };
  const std::string value(value_size_max, 'a');
  // Every place is a place for the first separator, and none for the second.
  CHECK(secrets_inside("${{secrets.a}}a${{secrets.b}}b${{secrets.c}}", value).empty());
  // Everything divides: one division of the largest value, and no guess beyond it.
  CHECK(size_of(secrets_inside("${{secrets.a}}a${{secrets.b}}a${{secrets.c}}", value)) <=
        value_size_max);
  const std::string small(1000, 'a');
  std::string text = "${{secrets.s}}", deep = text;
  for (int i = 0; i < 15; ++i) text += "a${{secrets.s}}";
  CHECK(secrets_inside(text, small).size() <= std::size_t{16} * 16);
  CHECK_FALSE(secrets_inside(text, small).empty());
  CHECK(secrets_inside(text + "b${{secrets.s}}", small).empty());
  for (int i = 0; i < 1'000'000; ++i) deep += "a${{secrets.s}}";
  CHECK(secrets_inside(deep, value).empty());
  CHECK(holds_secret_reference(deep));
  // Separators that nearly fit everywhere.
  const std::string nearly = std::string(60'000, 'a') + "b";
  CHECK(secrets_inside("${{secrets.a}}" + nearly + "${{secrets.b}}", value).empty());
  // A value that is longer than all that a run may mask: the run is refused for it.
  CHECK(secrets_inside("${{secrets.a}}", value).size() == 1);
  CHECK(secrets_inside("${{secrets.a}}", value + "a").empty());
}

TEST_CASE("a path of a configured secret is read once, however many brackets it opens") {
  std::map<std::string, Secret> values;
  values.emplace(std::string(1U << 20U, '['), Secret("SECRET"));
  values.emplace(std::string(4000, '[') + "a", Secret("SECRET"));
  values.emplace(std::string(5000, '[') + "b", Secret("SECRET"));
  const auto resolved = apply_config_secrets(R"({"a":"m","b":"m"})", values);
  CHECK(resolved.json.reveal() == R"({"a":"SECRET","b":"m"})");
  CHECK(resolved.values.size() == 1);
}

TEST_CASE("the secret inside an interpolated configuration value is handed back for masking") {
  std::map<std::string, Secret> values;
  values.emplace("env.URL", Secret("https://joe:hunter22@db"));
  const auto resolved =
      apply_config_secrets(R"({"env":{"URL":"https://joe:${{ secrets.db }}@db"}})", values);
  REQUIRE(resolved.values.size() == 2);
  CHECK(resolved.values[0].reveal() == "hunter22");
  CHECK(resolved.values[1].reveal() == "https://joe:hunter22@db");
}

TEST_CASE("zero bytes of a script's output do not reach the core, which cannot store them") {
  sandbox::RunResult run;
  run.outcome = sandbox::Outcome::exited;
  CollectedStreams streams;
  streams.standard_output = std::string("a\0b\0", 4);
  streams.standard_error = std::string("\0", 1);
  auto end = shell_collector_outcome(run, streams, {1ms, false, false});
  REQUIRE(end);
  CHECK(std::get<ExecuteOutcome>(end->outcome).standard_output == "a\uFFFDb\uFFFD");
  CHECK(std::get<ExecuteOutcome>(end->outcome).standard_error == "\uFFFD");
}

TEST_CASE("configuration errors name the path and the rule, never a value") {
  const auto validation = validate_execute_config(
      R"({"script":5,"timeout":"soon","env":{"very-secret":1},"secretEnv":{"A":"b c"}})");
  const std::string text = issue_text(validation.issues);
  CHECK(text.find("script: invalid_type") != std::string::npos);
  CHECK(text.find("timeout: invalid_type") != std::string::npos);
  CHECK(text.find("very-secret") == std::string::npos);
  CHECK(text.find("b c") == std::string::npos);
}

TEST_CASE("names of variables follow JavaScript's upper case") {
  CHECK(variable_name_of("straße") == "STRASSE");
  CHECK(variable_name_of("f\u0131sh") == "FISH");
  CHECK(variable_name_of("\ufb01t") == "FIT");
  CHECK(variable_name_of("a\u00e9b") == "A_B");
}

TEST_CASE("a report is short where nothing is missing, and whole where something is") {
  auto end = shell_end({0, "", "", 1ms, true, false});
  end.sandbox.emplace();
  end.sandbox->engine = "native";
  end.sandbox->enforced = {true, true, true, true};
  end.sandbox->notes = {{sandbox::Layer::network, "the same for every run", true},
                        {sandbox::Layer::resources, "the process limit was reached", false}};
  const bool lacks_something = GENERATE(false, true);
  if (lacks_something) {
    end.sandbox->downgrades = {{sandbox::Layer::network, "no way out"}};
  }
  const auto frame = frame_of(result_of_run(identity(), {1ms, 0ms}, {end}, sixteen_mib));
  const json report = frame.at("result").at("metadata").at("collectors").at("5e0d").at("_sandbox");
  CHECK(report.at("engine") == "native");
  CHECK(report.at("enforced").at("privilege") == true);
  CHECK(report.at("downgrades").size() == (lacks_something ? 1 : 0));
  CHECK(report.at("notes").size() == (lacks_something ? 2 : 1));
}

TEST_CASE("what made a check unhealthy is told of every kind of end") {
  CollectorOutcome thrown;
  thrown.outcome = ThrownOutcome{"Error: Secret not found: pay_token"};
  CHECK(failure_of(thrown) == "Error: Secret not found: pay_token");
  auto end = shell_end({0, "", "", 1ms, true, false});
  CHECK_FALSE(failure_of(end));
  end.error = "Script execution timed out";
  CHECK(failure_of(end) == "Script execution timed out");
}
