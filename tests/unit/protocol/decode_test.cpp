#include "protocol/decode.hpp"

#include "tests/unit/protocol/decoded.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <tuple>

using namespace satellite;
using namespace satellite::protocol;
using satellite::tests::decoded;
using satellite::tests::refused;

TEST_CASE("the frame that authenticates carries id, assignments, packages, policy, extensions") {
  const auto message = decoded<Authenticated>(R"({
    "type":"authenticated","satelliteId":"11111111-1111-4111-8111-111111111111",
    "assignments":[{"configId":"c","systemId":"s","strategyId":"p.s","config":{"timeout":30000},
                    "intervalSeconds":3600}],
    "scriptPackagesLockfileHash":"9f2c",
    "sandboxPolicy":{"privilege":{"mode":"drop-to-uid"},"enabled":true},
    "extensions":["script-dispatch/1","result-ack/1"],"newField":[1,2,3]})");
  CHECK(message.satellite_id == "11111111-1111-4111-8111-111111111111");
  REQUIRE(message.assignments.accepted.size() == 1);
  CHECK(message.assignments.accepted[0].config_json == R"({"timeout":30000})");
  CHECK(message.script_packages.made);
  CHECK(message.script_packages.lockfile_hash == "9f2c");
  CHECK(message.sandbox_policy_json == R"({"privilege":{"mode":"drop-to-uid"},"enabled":true})");
  CHECK(message.extensions == std::vector<std::string>{"script-dispatch/1", "result-ack/1"});
}

TEST_CASE("a core that says nothing about packages is told from one that has none") {
  const std::string start = R"({"type":"config_updated","assignments":[])";
  CHECK_FALSE(decoded<ConfigUpdated>(start + "}").script_packages.made);
  const auto none = decoded<ConfigUpdated>(start + R"(,"scriptPackagesLockfileHash":null})");
  CHECK(none.script_packages.made);
  CHECK_FALSE(none.script_packages.lockfile_hash.has_value());
  CHECK(refused(start + R"(,"scriptPackagesLockfileHash":7})").code == ErrorCode::invalid_input);
}

TEST_CASE("an absent policy is told from a policy that is no policy") {
  const std::string start = R"({"type":"authenticated","satelliteId":"s","assignments":[])";
  CHECK_FALSE(decoded<Authenticated>(start + "}").sandbox_policy_json.has_value());
  CHECK(decoded<Authenticated>(start + R"(,"sandboxPolicy":null})").sandbox_policy_json == "null");
  CHECK(decoded<Authenticated>(start + R"(,"sandboxPolicy":[]})").sandbox_policy_json == "[]");
  CHECK(decoded<Authenticated>(start + R"(,"sandboxPolicy":"off"})").sandbox_policy_json ==
        "\"off\"");
}

TEST_CASE("a policy push reaches its judge whatever it holds") {
  CHECK(decoded<SandboxPolicy>(R"({"type":"sandbox_policy","policy":{"a":1.50,"a2":2}})")
            .policy_json == R"({"a":1.50,"a2":2})");
  CHECK(decoded<SandboxPolicy>(R"({"type":"sandbox_policy","policy":5})").policy_json == "5");
  CHECK(decoded<SandboxPolicy>(R"({"type":"sandbox_policy"})").policy_json == "null");
}

TEST_CASE("a frame in which an object has a member twice is refused, of whatever kind it is") {
  const auto frame = GENERATE(values<std::string>(
      {R"({"type":"sandbox_policy","policy":{"enabled":false},"polic\u0079":{"enabled":true}})",
       R"({"type":"sandbox_policy","policy":{"enabled":true,"enabled":false}})",
       R"({"type":"sandbox_policy","type":"shutdown","policy":{},"reason":"r"})",
       R"({"type":"authenticated","satelliteId":"s","assignments":[],"sandboxPolicy":
          {"network":{"mode":"deny","mode":"unrestricted"}}})",
       R"({"type":"config_updated","assignments":[{"configId":"c","systemId":"s","strategyId":"x",
          "intervalSeconds":1,"config":{"a":{"k":1,"k":2}}}]})",
       R"({"type":"run_secrets","requestId":"r","env":{"TOKEN":"a","TOKEN":"b"}})",
       R"({"type":"config_secrets","requestId":"r","collectors":{"c":{"p":"a","p":"b"}}})",
       R"({"type":"run_script","runId":"r","kind":"automation","language":"shell","script":"a",
          "script":"b","timeoutMs":1000})",
       R"({"type":"run_script","runId":"r","kind":"automation","language":"shell","script":"a",
          "timeoutMs":1000,"context":{"a":[{"k":1e3,"k":2}]}})",
       R"({"type":"cancel_script","runId":"a","runId":"b"})",
       R"({"type":"whatever","a":1,"a":2})"}));
  CAPTURE(frame);
  const auto message = decode(frame);
  REQUIRE_FALSE(message);
  CHECK(message.error().code == ErrorCode::invalid_input);
  CHECK(message.error().message.find("two members named") != std::string::npos);
}

TEST_CASE("a refused frame that brings a policy is told from one that brings none") {
  for (const char* frame :
       {R"({"type":"sandbox_policy","policy":{"enabled":true,"enabled":false}})",
        R"({"policy":{},"policy":{},"type":"sandbox\u005fpolicy"})",
        R"({"type":"sandbox_policy","policy":{enabled:[x]}})",
        R"({"type":"authenticated","assignments":[],"sandboxPolicy":{"a":1,"a":2}})",
        R"({"type":"authenticated","sandboxPolicy":{},"sandboxPolicy":{}})"}) {
    CAPTURE(frame);
    CHECK_FALSE(decode(frame));
    CHECK(pushes_policy(frame));
  }
  const std::string deep =
      R"({"type":"sandbox_policy","policy":)" + std::string(5'000, '[') + std::string(5'000, ']');
  CHECK(pushes_policy(deep + "}"));
  for (const std::string& frame :
       {std::string(R"({"type":"authenticated","assignments":[{"a":1,"a":2}]})"),
        std::string(R"({"type":"config_updated","sandboxPolicy":{"a":1,"a":2}})"),
        std::string(R"({"type":"sandbox_policy","type":"shutdown","policy":{}})"),
        std::string(R"({"type":["sandbox_policy"],"a":1,"a":2})"), std::string("sandbox_policy"),
        R"({"type":)" + std::string(5'000, '[') + "}", std::string(R"({"type":"sandbox_pol)"),
        std::string()}) {
    CAPTURE(frame);
    CHECK_FALSE(pushes_policy(frame));
  }
}

TEST_CASE("a declaration of extensions that makes no sense declares none") {
  const std::string start = R"({"type":"authenticated","satelliteId":"s","assignments":[],)";
  CHECK(decoded<Authenticated>(start + R"("extensions":{"a":1}})").extensions.empty());
  CHECK(decoded<Authenticated>(start + R"("extensions":[1,"result-ack/1",null]})").extensions ==
        std::vector<std::string>{"result-ack/1"});
  std::string many = start + R"("extensions":["x")";
  for (int i = 0; i < 1000; ++i) many += R"(,"x")";
  CHECK(decoded<Authenticated>(many + "]}").extensions.size() == limits::extensions_max);
}

TEST_CASE("a reason is kept, and cut rather than refused when it is long") {
  CHECK(decoded<AuthFailed>(R"({"type":"auth_failed","reason":"Invalid client ID or token"})")
            .reason == "Invalid client ID or token");
  CHECK(decoded<Shutdown>(R"({"type":"shutdown","reason":"r"})").reason == "r");
  const std::string words(100'000, 'w');
  CHECK(decoded<AuthFailed>(R"({"type":"auth_failed","reason":")" + words + "\"}").reason.size() ==
        limits::reason_size_max.value);
}

TEST_CASE("an unknown type is a message to ignore, its name fit for a log") {
  CHECK(decoded<UnknownMessage>(R"({"type":"future_thing","payload":{}})").type == "future_thing");
  CHECK(decoded<UnknownMessage>(R"({"type":"a\nb\u001b"})").type == "a?b?");
  CHECK(decoded<UnknownMessage>(R"({"type":")" + std::string(10'000, 't') + "\"}").type.size() ==
        67);
}

TEST_CASE("what is no message is refused with a code and a path") {
  const auto [text, code, start] = GENERATE(table<std::string, ErrorCode, std::string>({
      {"", ErrorCode::invalid_input, "$: "},
      {"null", ErrorCode::invalid_input, "$: "},
      {"[]", ErrorCode::invalid_input, "$: "},
      {"5", ErrorCode::invalid_input, "$: "},
      {"{}", ErrorCode::invalid_input, "$.type: "},
      {R"({"Type":"shutdown"})", ErrorCode::invalid_input, "$.type: "},
      {R"({"type":null})", ErrorCode::invalid_input, "$.type: "},
      {R"({"type":["shutdown"]})", ErrorCode::invalid_input, "$.type: "},
      {R"({"type":"shutdown","reason":"r"} x)", ErrorCode::invalid_input, "$: "},
      {"\xef\xbb\xbf{\"type\":\"shutdown\",\"reason\":\"r\"}", ErrorCode::invalid_input, "$: "},
      {R"({"type":"shutdown"})", ErrorCode::invalid_input, "$.reason: "},
      {R"({"type":"auth_failed","reason":1})", ErrorCode::invalid_input, "$.reason: "},
      {R"({"type":"authenticated","assignments":[]})", ErrorCode::invalid_input, "$.satelliteId: "},
      {R"({"type":"authenticated","satelliteId":"s"})", ErrorCode::invalid_input,
       "$.assignments: "},
      {R"({"type":"config_updated"})", ErrorCode::invalid_input, "$.assignments: "},
      {R"({"type":"config_updated","assignments":{}})", ErrorCode::invalid_input,
       "$.assignments: "},
      {R"({"type":"refresh_script_packages"})", ErrorCode::invalid_input, "$.lockfileHash: "},
      {R"({"type":"script_package_manifest","lockfileHash":"h"})", ErrorCode::invalid_input,
       "$.entries: "},
      {R"({"type":"script_package_manifest","lockfileHash":"h","entries":[{"name":"n"}]})",
       ErrorCode::invalid_input, "$.entries[0].version: "},
      {R"({"type":"script_package_blob","integrity":"i"})", ErrorCode::invalid_input, "$.data: "},
      {R"({"type":"run_secrets","env":{}})", ErrorCode::invalid_input, "$.requestId: "},
      {R"({"type":"run_secrets","requestId":"r","env":{"A":1}})", ErrorCode::invalid_input,
       "$.env.A: "},
      {R"({"type":"config_secrets","requestId":"r","collectors":{"c":{"p":1}}})",
       ErrorCode::invalid_input, "$.collectors.c.p: "},
      {R"({"type":"telemetry_ack","batchId":"1","accepted":1,"rejected":0})",
       ErrorCode::invalid_input, "$.retryable: "},
      {R"({"type":"capability_config","kind":"k"})", ErrorCode::invalid_input, "$.payload: "},
      {R"({"type":"capability_secret_response","payload":1})", ErrorCode::invalid_input,
       "$.requestId: "},
      {R"({"type":"cancel_script","runId":"no spaces"})", ErrorCode::invalid_input, "$.runId: "},
      {R"({"type":"script_ack","runId":"r","seq":-1})", ErrorCode::invalid_input, "$.seq: "},
      {R"({"type":"script_ack","runId":"r","seq":1.5})", ErrorCode::invalid_input, "$.seq: "},
      {R"({"type":"script_ack","runId":"r","seq":1e300})", ErrorCode::invalid_input, "$.seq: "},
      {R"({"type":"query_script"})", ErrorCode::invalid_input, "$.runId: "},
      {R"({"type":"result_ack","resultIds":"r"})", ErrorCode::invalid_input, "$.resultIds: "},
      {R"({"type":"result_ack","resultIds":[1]})", ErrorCode::invalid_input, "$.resultIds[0]: "},
  }));
  const Error error = refused(text);
  CAPTURE(text, error.message);
  CHECK(error.code == code);
  CHECK(error.message.substr(0, start.size()) == start);
}

TEST_CASE("a frame beyond its bounds is refused before it is read") {
  CHECK(refused(std::string(10'000, '[')).code == ErrorCode::limit_exceeded);
  const std::string long_frame =
      R"({"type":"shutdown","reason":")" + std::string(70'000, 'r') + "\"}";
  CHECK(decode(long_frame).has_value());
  const auto from_stranger = decode(long_frame, limits::frame_from_stranger);
  REQUIRE_FALSE(from_stranger.has_value());
  CHECK(from_stranger.error().code == ErrorCode::limit_exceeded);
}

TEST_CASE("half a surrogate pair costs one character, not the frame") {
  const auto reason = [](const std::string& escaped) {
    return decoded<Shutdown>(R"({"type":"shutdown","reason":")" + escaped + "\"}").reason;
  };
  CHECK(reason(R"(a\ud83db)") ==
        "a\xef\xbf\xbd"
        "b");
  CHECK(reason(R"(\ude00)") == "\xef\xbf\xbd");
  CHECK(reason(R"(\ud83d\ud83d\ude00)") == "\xef\xbf\xbd\xf0\x9f\x98\x80");
  CHECK(reason(R"(\ud83d\u0041)") ==
        "\xef\xbf\xbd"
        "A");
  CHECK(reason(R"(\\ud83d\ud83d)") == "\\ud83d\xef\xbf\xbd");
  CHECK(refused(R"({"type":"shutdown","reason":"\ud83d)").code == ErrorCode::invalid_input);
  CHECK(refused(R"({"type":"shutdown","reason":"\ud83d",})").code == ErrorCode::invalid_input);
}

TEST_CASE("the messages of a run in progress are read") {
  const auto cancel =
      decoded<CancelScript>(R"({"type":"cancel_script","runId":"r:1","reason":"x"})");
  CHECK(cancel.run_id == RunId("r:1"));
  CHECK(cancel.reason == "x");
  CHECK(decoded<CancelScript>(R"({"type":"cancel_script","runId":"r"})").reason.empty());
  const auto ack = decoded<ScriptAck>(R"({"type":"script_ack","runId":"r","seq":17})");
  CHECK(ack.seq == 17);
  CHECK(decoded<QueryScript>(R"({"type":"query_script","runId":"r"})").run_id == RunId("r"));
  CHECK(decoded<ResultAck>(R"({"type":"result_ack","resultIds":["a","b"]})").result_ids.size() ==
        2);
}

TEST_CASE("too many acknowledged results in one frame are refused") {
  std::string text = R"({"type":"result_ack","resultIds":["0")";
  for (std::size_t i = 1; i < limits::result_ids_max; ++i) text += R"(,"0")";
  CHECK(decoded<ResultAck>(text + "]}").result_ids.size() == limits::result_ids_max);
  CHECK(refused(text + R"(,"0"]})").code == ErrorCode::limit_exceeded);
}

TEST_CASE("replies about packages are read") {
  const auto manifest = decoded<ScriptPackageManifest>(
      R"({"type":"script_package_manifest","lockfileHash":"h","entries":[
          {"name":"is-number","version":"7.0.0","integrity":"sha512-x","blobSha256":"5d1e"},
          {"name":"@a/b","version":"1","integrity":"i"}]})");
  REQUIRE(manifest.entries.size() == 2);
  CHECK(manifest.entries[0].blob_sha256 == "5d1e");
  CHECK_FALSE(manifest.entries[1].blob_sha256.has_value());
  const std::string blob = R"({"type":"script_package_blob","integrity":"i","data":)";
  CHECK(decoded<ScriptPackageBlob>(blob + R"("H4sI"})").data_base64 == "H4sI");
  CHECK_FALSE(decoded<ScriptPackageBlob>(blob + "null}").data_base64.has_value());
  CHECK(decoded<RefreshScriptPackages>(R"({"type":"refresh_script_packages","lockfileHash":"h"})")
            .lockfile_hash == "h");
}

TEST_CASE("replies with secrets are read into secrets") {
  const auto run =
      decoded<RunSecrets>(R"({"type":"run_secrets","requestId":"r","env":{"API_TOKEN":"s3cr3t"}})");
  REQUIRE(run.environment);
  CHECK(run.environment->at("API_TOKEN").reveal() == "s3cr3t");
  const auto failed =
      decoded<RunSecrets>(R"({"type":"run_secrets","requestId":"r","error":"not found"})");
  CHECK_FALSE(failed.environment);
  CHECK(failed.error == "not found");
  const auto config = decoded<ConfigSecrets>(
      R"({"type":"config_secrets","requestId":"q","strategy":{"password":"v1"},
          "collectors":{"5e0d":{"targets[0].token":"v2"}}})");
  CHECK(config.strategy->at("password").reveal() == "v1");
  CHECK(config.collectors->at("5e0d").at("targets[0].token").reveal() == "v2");
}

TEST_CASE("messages about telemetry and capabilities are read") {
  const auto ack = decoded<TelemetryAck>(
      R"({"type":"telemetry_ack","batchId":"0","accepted":1,"rejected":2,"retryable":true})");
  CHECK(ack.rejected == 2);
  CHECK(ack.retryable);
  CHECK(decoded<CapabilityConfig>(R"({"type":"capability_config","kind":"k","payload":[1, 2]})")
            .payload_json == "[1, 2]");
  const auto response = decoded<CapabilitySecretResponse>(
      R"({"type":"capability_secret_response","requestId":"r","payload":{"a":"b"}})");
  REQUIRE(response.payload_json);
  CHECK(response.payload_json->reveal() == R"({"a":"b"})");
}

TEST_CASE("an error about a frame with secrets never quotes one") {
  const auto text = GENERATE(values<std::string>({
      R"({"type":"run_secrets","requestId":"r","env":{"A":"hush-hush","B":7}})",
      R"({"type":"run_secrets","requestId":"r","env":"hush-hush"})",
      R"({"type":"run_secrets","requestId":7,"env":{"A":"hush-hush"}})",
      R"({"type":"run_secrets","env":{"A":"hush-hush"},})",
      R"({"type":"hush-hush)",
  }));
  CHECK(refused(text).message.find("hush-hush") == std::string::npos);
}
