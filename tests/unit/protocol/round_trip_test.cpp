#include "protocol/encode.hpp"
#include "tests/devcore/codec/core_codec.hpp"
#include "tests/unit/protocol/decoded.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <tuple>

// Two codecs that share no line: what one side says, the other side must understand.

using namespace satellite;
using namespace satellite::protocol;
using namespace satellite::byte_literals;
using satellite::devcore::decode_agent_message;
using satellite::devcore::encode_core_message;

namespace {

template <typename Message>
Message understood(const std::string& frame) {
  auto message = decode_agent_message(frame);
  INFO(frame.substr(0, 500));
  if (!message) FAIL(message.error().message);
  REQUIRE(std::holds_alternative<Message>(*message));
  return std::get<Message>(std::move(*message));
}

std::string random_bytes(std::mt19937& random, std::string_view alphabet) {
  std::string bytes(random() % 4000, ' ');
  for (char& c : bytes) {
    c = alphabet.empty() ? static_cast<char>(random()) : alphabet[random() % alphabet.size()];
  }
  return bytes;
}

}  // namespace

TEST_CASE("the core understands everything the agent says of itself") {
  const auto hello =
      understood<Authenticate>(encode(Authenticate{"id", Secret(std::string("t\n")), {"a", "b"}}));
  CHECK(hello.token.reveal() == "t\n");
  CHECK(hello.capabilities == std::vector<std::string>{"a", "b"});
  CHECK(understood<Heartbeat>(encode(Heartbeat{"1", std::chrono::seconds(5), {}})).uptime.count() ==
        5);
  CHECK(understood<StrategyError>(encode(StrategyError{"s", "m"})).message == "m");
  CheckResult result;
  result.config_id = ConfigId("c");
  result.environment_id = "e";
  result.executed_at = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'000));
  result.result_json = R"({"status":"unhealthy","latencyMs":1,"metadata":{"connected":false}})";
  const auto read = understood<CheckResult>(encode(result));
  CHECK(read.environment_id == "e");
  CHECK(read.executed_at == result.executed_at);
  CHECK(read.status == HealthStatus::unhealthy);
}

TEST_CASE("the core understands the life of a run") {
  CHECK(understood<ScriptAccepted>(encode(ScriptAccepted{RunId("r"), 7})).position == 7);
  CHECK(understood<ScriptRejected>(encode(ScriptRejected{RunId("r"), RejectionCode::expired, "m"}))
            .code == RejectionCode::expired);
  CHECK(understood<ScriptStarted>(encode(ScriptStarted{RunId("r"), 0, {}, R"({"engine":"none"})"}))
            .sandbox_json == R"({"engine":"none"})");
  ScriptFinished finished;
  finished.run_id = RunId("r");
  finished.outcome = "timed_out";
  finished.usage = {std::chrono::microseconds(1'234'567), 5_MiB};
  finished.bytes_standard_error = 9_B;
  finished.sandbox_json = "{}";
  const auto end = understood<ScriptFinished>(encode(finished));
  CHECK(end.outcome == "timed_out");
  CHECK(end.usage.cpu == finished.usage.cpu);
  CHECK(end.bytes_standard_error == 9_B);
  CHECK(end.exit_code == -1);
  const ScriptStatus status{RunId("r"), ScriptState::finished, encode(finished)};
  CHECK(
      understood<ScriptFinished>(*understood<ScriptStatus>(encode(status)).finished_json).outcome ==
      "timed_out");
}

TEST_CASE("any output survives the wire byte by byte") {
  const auto alphabet = GENERATE(values<std::string>(
      {"abc def\n", "ab\"\\/\n\r\t\b\f\x01\x1f\x7f", "\xc3\xa9", "\xf0\x9f\x98\x80", ""}));
  std::mt19937 random(42);
  for (int round = 0; round < 200; ++round) {
    const ScriptOutput output{RunId("run:1"), random(), OutputStream::standard_error, random(),
                              random_bytes(random, alphabet)};
    const auto read = understood<ScriptOutput>(encode(output));
    REQUIRE(read.bytes == output.bytes);
    REQUIRE(read.seq == output.seq);
    REQUIRE(read.offset == output.offset);
    REQUIRE(read.stream == output.stream);
    REQUIRE(read.run_id == output.run_id);
  }
}

TEST_CASE("output in any other spelling of JSON means the same") {
  const auto text = GENERATE(values<std::string>({
      R"({"type":"script_output","runId":"r","seq":1,"stream":"stdout","offset":2,"text":"\u00e9/"})",
      R"({"type":"script_output","runId":"r","seq":1,"stream":"stdout","offset":2,"text":"\u00E9\/"})",
      R"( {"text":"é/","offset":2e0,"stream":"stdout","seq":1,"runId":"r","type":"script_output"})",
      R"({"type":"script_output","runId":"r","seq":1,"stream":"stdout","offset":2,"base64":"w6kv"})",
  }));
  const auto output = understood<ScriptOutput>(text);
  CHECK(output.bytes == "\xc3\xa9/");
  CHECK(output.offset == 2);
}

TEST_CASE("broken output frames are refused by the quick way and by the slow way") {
  const std::string start =
      R"({"type":"script_output","runId":"r","seq":1,"stream":"stdout","offset":2)";
  const auto rest = GENERATE(
      values<std::string>({"}", R"(,"text":"a)",
                           R"(,"text":"a"} )"
                           "x",
                           R"(,"text":"a","base64":"YQ=="})", R"(,"base64":"YQ="})",
                           R"(,"base64":"Y\u0051=="}x)", ",\"text\":\"\xff\"}", ",\"text\":\"\n\"}",
                           R"(,"text":"\x41"})", R"(,"text":"\ud800"})", R"(,"text":5})"}));
  CAPTURE(rest);
  CHECK_FALSE(decode_agent_message(start + rest).has_value());
}

TEST_CASE("an output chunk beyond the limit is refused") {
  const auto frame = [](std::size_t size) {
    return encode(
        ScriptOutput{RunId("r"), 0, OutputStream::standard_output, 0, std::string(size, 'x')});
  };
  CHECK(decode_agent_message(frame(limits::output_chunk_size_max.value)).has_value());
  const auto refused = decode_agent_message(frame(limits::output_chunk_size_max.value + 1));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == ErrorCode::limit_exceeded);
}

TEST_CASE("what no agent may say is refused by the core") {
  const auto text = GENERATE(values<std::string>({
      "5",
      "{}",
      R"({"type":"nope"})",
      R"({"type":"authenticate","clientId":"a"})",
      R"({"type":"heartbeat","version":"1","uptimeSeconds":"1"})",
      R"({"type":"script_accepted","runId":"r","position":-1})",
      R"({"type":"script_rejected","runId":"r","code":"tired","message":"m"})",
      R"({"type":"script_started","runId":"r","seq":0,"startedAt":"now","sandbox":{}})",
      R"({"type":"script_started","runId":"r","seq":0,"startedAt":"2026-03-04T05:06:07Z"})",
      R"({"type":"script_finished","runId":"r","seq":0,"outcome":"vanished"})",
      R"({"type":"script_status","runId":"r","state":"asleep"})",
  }));
  CAPTURE(text);
  CHECK_FALSE(decode_agent_message(text).has_value());
}

TEST_CASE("the agent understands everything the core dispatches") {
  RunScript run;
  run.run_id = RunId("r");
  run.language = ScriptLanguage::module;
  run.script = "caf\xc3\xa9 \"\\\n";
  run.timeout = std::chrono::milliseconds(100);
  run.environment = {{"A", "1"}};
  run.secret_environment.emplace("S", Secret(std::string("hush")));
  run.context_json = R"({"z":1,"a":2})";
  run.standard_input = "in";
  run.priority = ScriptPriority::low;
  run.start_before = std::chrono::system_clock::time_point(std::chrono::milliseconds(5));
  const auto read = tests::decoded<RunScript>(encode_core_message(std::move(run)));
  CHECK(read.script == "caf\xc3\xa9 \"\\\n");
  CHECK(read.secret_environment.at("S").reveal() == "hush");
  CHECK(read.context_json == R"({"z":1,"a":2})");
  CHECK(read.priority == ScriptPriority::low);
  CHECK(read.start_before->time_since_epoch() == std::chrono::milliseconds(5));
  CHECK(tests::decoded<ScriptAck>(encode_core_message(ScriptAck{RunId("r"), 3})).seq == 3);
  CHECK(tests::decoded<CancelScript>(encode_core_message(CancelScript{RunId("r"), "x"})).reason ==
        "x");
  CHECK(tests::decoded<QueryScript>(encode_core_message(QueryScript{RunId("q")})).run_id ==
        RunId("q"));
  CHECK(tests::decoded<ResultAck>(encode_core_message(ResultAck{{"a"}})).result_ids.size() == 1);
}

TEST_CASE("the agent understands the frame that authenticates it") {
  Authenticated message;
  message.satellite_id = "s";
  message.script_packages = {true, std::nullopt};
  message.sandbox_policy_json = R"({"enabled":true})";
  message.extensions = {"script-dispatch/1"};
  Assignment assignment;
  assignment.config_id = ConfigId("c");
  assignment.system_id = SystemId("y");
  assignment.strategy_id = "p.s";
  assignment.interval = std::chrono::duration<double>(2.5);
  assignment.config_json = "{}";
  assignment.collectors_json = R"([{"id":"1","collectorId":"k","config":{}}])";
  assignment.environments_json = "[]";
  assignment.system_metadata_json = R"({"a":1})";
  message.assignments.accepted.push_back(assignment);
  const auto read = tests::decoded<Authenticated>(encode_core_message(std::move(message)));
  REQUIRE(read.assignments.accepted.size() == 1);
  CHECK(read.assignments.accepted[0] == assignment);
  CHECK(read.script_packages.made);
  CHECK(read.sandbox_policy_json == R"({"enabled":true})");
  CHECK(read.extensions.size() == 1);
}
