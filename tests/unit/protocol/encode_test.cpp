#include "protocol/encode.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

using namespace satellite;
using namespace satellite::protocol;
using namespace satellite::byte_literals;
using nlohmann::json;

namespace {

const std::chrono::system_clock::time_point noon{std::chrono::milliseconds(1'772'600'767'089)};

}  // namespace

TEST_CASE("authenticate leaves out capabilities when there are none") {
  CHECK(encode(Authenticate{"sat-1", Secret(std::string("csat_x\"y")), {}}) ==
        R"({"type":"authenticate","clientId":"sat-1","token":"csat_x\"y"})");
  CHECK(
      encode(Authenticate{"sat-1", Secret(std::string("csat_x")), {"result-ack"}}) ==
      R"({"type":"authenticate","clientId":"sat-1","capabilities":["result-ack"],"token":"csat_x"})");
}

TEST_CASE("a heartbeat has the shape of the contract") {
  CHECK(encode(Heartbeat{"1.0.0", std::chrono::seconds(915), {}}) ==
        R"({"type":"heartbeat","version":"1.0.0","uptimeSeconds":915})");
}

TEST_CASE("a result names its environment even when it has none") {
  CheckResult result;
  result.config_id = ConfigId("c-1");
  result.system_id = SystemId("sys-pay");
  result.status = HealthStatus::healthy;
  result.latency = std::chrono::milliseconds(44);
  result.executed_at = noon;
  result.result_json = R"({"status":"healthy","latencyMs":44,"metadata":{"connected":true}})";
  CHECK(encode(result) ==
        R"({"type":"result","configId":"c-1","systemId":"sys-pay","environmentId":null,)"
        R"("status":"healthy","latencyMs":44,"executedAt":"2026-03-04T05:06:07.089Z",)"
        R"("result":{"status":"healthy","latencyMs":44,"metadata":{"connected":true}}})");
  result.environment_id = "env-eu";
  result.result_id = "id-7";
  const json frame = json::parse(encode(result));
  CHECK(frame["environmentId"] == "env-eu");
  CHECK(frame["resultId"] == "id-7");
}

TEST_CASE("the requests of the contract have its shape") {
  CHECK(encode(StrategyError{"s", "m"}) ==
        R"({"type":"strategy_error","strategyId":"s","message":"m"})");
  CHECK(encode(ScriptPackageSyncState{std::nullopt, PackageSyncStatus::ready, std::nullopt}) ==
        R"({"type":"script_package_sync_state","lockfileHash":null,"status":"ready"})");
  CHECK(encode(RequestScriptPackageManifest{"h"}) ==
        R"({"type":"request_script_package_manifest","lockfileHash":"h"})");
  CHECK(encode(RequestScriptPackageBlob{"i"}) ==
        R"({"type":"request_script_package_blob","integrity":"i"})");
  CHECK(encode(RequestRunSecrets{RequestId("r"), ConfigId("c"), "k", "u"}) ==
        R"({"type":"request_run_secrets","requestId":"r","configId":"c","collectorId":"k",)"
        R"("runId":"u"})");
  CHECK(encode(RequestConfigSecrets{RequestId("r"), ConfigId("c"), "u"}) ==
        R"({"type":"request_config_secrets","requestId":"r","configId":"c","runId":"u"})");
  CHECK(encode(TelemetryBatch{"0", "logstream", "[{}]", {{"g1", 3}}}) ==
        R"({"type":"telemetry_batch","batchId":"0","kind":"logstream","droppedByGroup":{"g1":3},)"
        R"("payload":[{}]})");
  CHECK(encode(CapabilityStatus{"k", "null"}) ==
        R"({"type":"capability_status","kind":"k","payload":null})");
  CHECK(encode(CapabilitySecretRequest{RequestId("c9"), "probe", "{}"}) ==
        R"({"type":"capability_secret_request","requestId":"c9","kind":"probe","payload":{}})");
}

TEST_CASE("the messages of a dispatched run have the shape of the extension") {
  CHECK(encode(ScriptAccepted{RunId("r"), 2}) ==
        R"({"type":"script_accepted","runId":"r","position":2})");
  CHECK(encode(ScriptRejected{RunId("r"), RejectionCode::queue_full, "full"}) ==
        R"({"type":"script_rejected","runId":"r","code":"queue_full","message":"full"})");
  CHECK(encode(ScriptStarted{RunId("r"), 0, noon, R"({"engine":"bwrap"})"}) ==
        R"({"type":"script_started","runId":"r","seq":0,"startedAt":"2026-03-04T05:06:07.089Z",)"
        R"("sandbox":{"engine":"bwrap"}})");
  CHECK(encode(ScriptStatus{RunId("r"), ScriptState::unknown, std::nullopt}) ==
        R"({"type":"script_status","runId":"r","state":"unknown"})");
}

TEST_CASE("the end of a run tells outcome, sizes, usage and report") {
  ScriptFinished finished;
  finished.run_id = RunId("r");
  finished.seq = 3;
  finished.outcome = "signaled";
  finished.exit_code = 137;
  finished.signal = 9;
  finished.bytes_standard_output = 5_B;
  finished.bytes_dropped = 1_KiB;
  finished.output_truncated = true;
  finished.started_at = noon;
  finished.duration = std::chrono::milliseconds(12);
  finished.usage = {std::chrono::microseconds(1'250), 3_MiB};
  finished.dropped_environment = {"LD_PRELOAD"};
  finished.sandbox_json = "{}";
  const std::string start =
      R"({"type":"script_finished","runId":"r","seq":3,"outcome":"signaled","exitCode":137,)"
      R"("signal":9,"outputTruncated":true,"bytes":{"stdout":5,"stderr":0,"dropped":1024},)"
      R"("startedAt":"2026-03-04T05:06:07.089Z","durationMs":12,)"
      R"("usage":{"cpuMs":1.25,"maxRssBytes":3145728},)";
  CHECK(encode(finished) == start + R"("droppedEnv":["LD_PRELOAD"],"sandbox":{}})");
  finished.signal.reset();
  finished.error = "e";
  finished.result_json = "[1]";
  finished.artifact_json = R"({"exitCode":137})";
  const json frame = json::parse(encode(finished));
  CHECK_FALSE(frame.contains("signal"));
  CHECK(frame["error"] == "e");
  CHECK(frame["result"] == json::array({1}));
  CHECK(frame["artifact"]["exitCode"] == 137);
}

TEST_CASE("output that is text goes as text, other bytes go as base64") {
  CHECK(encode(ScriptOutputView{"r-1", 4, OutputStream::standard_error, 1024, "a\n\"b\"\\"}) ==
        R"({"type":"script_output","runId":"r-1","seq":4,"stream":"stderr","offset":1024,)"
        R"("text":"a\n\"b\"\\"})");
  CHECK(encode(ScriptOutputView{"r-1", 4, OutputStream::standard_output, 0, "fo\xff"}) ==
        R"({"type":"script_output","runId":"r-1","seq":4,"stream":"stdout","offset":0,)"
        R"("base64":"Zm//"})");
  // U+0000 is UTF-8, but no text that the core could store.
  CHECK(encode(ScriptOutputView{"r-1", 4, OutputStream::standard_output, 0,
                                std::string_view("a\0b", 3)}) ==
        R"({"type":"script_output","runId":"r-1","seq":4,"stream":"stdout","offset":0,)"
        R"("base64":"YQBi"})");
  CHECK(encode(ScriptOutput{RunId("r"), 0, OutputStream::standard_output, 0, ""}) ==
        R"({"type":"script_output","runId":"r","seq":0,"stream":"stdout","offset":0,"text":""})");
}

TEST_CASE("bytes that are no UTF-8 never break a frame") {
  const std::string bad = "a\xff\xc3(\xed\xa0\x80";
  const json rejected =
      json::parse(encode(ScriptRejected{RunId(bad), RejectionCode::invalid, bad}));
  CHECK(rejected["message"].get<std::string>().find("\xef\xbf\xbd") != std::string::npos);
  CHECK(json::parse(encode(Authenticate{bad, Secret(std::string(bad)), {bad}}))["token"].is_null());
  CHECK(json::parse(encode(TelemetryBatch{bad, bad, "[]", {{bad, 1}}})).is_object());
  CHECK(json::parse(encode(ScriptOutputView{bad, 0, OutputStream::standard_output, 0, bad}))
            .contains("base64"));
}

TEST_CASE("a member made elsewhere that is no JSON becomes null instead of breaking the frame") {
  const auto bad = GENERATE(values<std::string>({"", "{", "{}}", "1,\"seq\":9", "\"\xff\"", "{} {}",
                                                 std::string("{}\0", 3), std::string(5'000, '[')}));
  const json frame = json::parse(encode(ScriptStarted{RunId("r"), 1, noon, bad}));
  CHECK(frame["sandbox"].is_null());
  CHECK(frame["seq"] == 1);
}
