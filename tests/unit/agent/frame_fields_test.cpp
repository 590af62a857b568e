#include "tests/devcore/codec/frame_fields.hpp"

#include "agent/checks/check_result.hpp"
#include "protocol/encode.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace satellite;
using namespace satellite::protocol;
using devcore::field_violation;
using nlohmann::json;

namespace {

/// Every message of the contract, once with all its optional fields and once without.
std::vector<AgentMessage> contract_messages() {
  std::vector<AgentMessage> messages;
  messages.push_back(Authenticate{"id", Secret("csat_x"), {}});
  messages.push_back(Authenticate{"id", Secret("csat_x"), {"script-dispatch/1"}});
  messages.push_back(Heartbeat{"1.0.0", std::chrono::seconds(15), {}});
  messages.push_back(StrategyError{"healthcheck-script.script", "no"});
  messages.push_back(ScriptPackageSyncState{std::nullopt, PackageSyncStatus::ready, std::nullopt});
  messages.push_back(ScriptPackageSyncState{"9f2c", PackageSyncStatus::error, "late"});
  messages.push_back(RequestScriptPackageManifest{"9f2c"});
  messages.push_back(RequestScriptPackageBlob{"sha512-41Ci"});
  messages.push_back(RequestRunSecrets{RequestId("r"), ConfigId("c"), "e", "run"});
  messages.push_back(RequestConfigSecrets{RequestId("r"), ConfigId("c"), "run"});
  messages.push_back(TelemetryBatch{"0", "logstream", "[{}]", {{"g1", 3}}});
  messages.push_back(CapabilityStatus{"probe", "{}"});
  messages.push_back(CapabilitySecretRequest{RequestId("r"), "probe", "null"});
  const agent::ResultIdentity identity{ConfigId("c"), SystemId("s"), "env", {}};
  messages.push_back(agent::result_without_run(identity, "Error: no"));
  agent::CollectorEnd collector;
  collector.entry_id = "e";
  collector.collector_id = "healthcheck-script.execute";
  collector.end = agent::ExecuteEnd{};
  messages.push_back(agent::result_of_run(identity, {}, {collector}, ByteCount{1U << 20U}));
  return messages;
}

}  // namespace

TEST_CASE("every frame we send keeps the contract's field tables") {
  for (const AgentMessage& message : contract_messages()) {
    const std::string frame = encode(message);
    INFO(frame);
    CHECK(field_violation(frame) == std::nullopt);
  }
}

TEST_CASE("the field tables find a field that is missing, of another type, or unknown") {
  std::size_t mutations = 0;
  for (const AgentMessage& message : contract_messages()) {
    const json good = json::parse(encode(message));
    for (const auto& [name, value] : good.items()) {
      json wrong = good;
      wrong[name] = json::array({json::array()});
      INFO(wrong.dump());
      // A payload may be anything.
      if (name != "payload") CHECK(field_violation(wrong.dump()));
      json unknown = good;
      unknown[name + "X"] = value;
      CHECK(field_violation(unknown.dump()));
      ++mutations;
    }
    json empty{{"type", good.at("type")}};
    CHECK(field_violation(empty.dump()));
  }
  CHECK(mutations > 40);
}
