#include "tests/devcore/codec/frame_fields.hpp"

#include "agent/checks/check_result.hpp"
#include "protocol/encode.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::protocol;
using devcore::field_violation;
using nlohmann::json;

namespace {

/// Collectors of each kind, with little and with all they can have.
std::vector<std::vector<agent::CollectorOutcome>> collector_ends() {
  agent::CollectorOutcome plain;
  plain.entry_id = "e";
  plain.collector_id = "healthcheck-script.execute";
  plain.outcome = agent::ExecuteOutcome{};
  agent::CollectorOutcome full = plain;
  full.outcome = agent::ExecuteOutcome{-1, std::string(64U << 10U, 'x'), "late", {}, false, true};
  full.error = "late";
  full.sandbox.emplace();
  full.dropped_environment = {"LD_PRELOAD"};
  agent::CollectorOutcome inline_script = plain;
  inline_script.collector_id = "healthcheck-script.inline-script";
  inline_script.outcome = agent::InlineScriptOutcome{true, "fine", 1.5, {}, false};
  agent::CollectorOutcome thrown = plain;
  thrown.outcome = agent::ThrownOutcome{"Error: no"};
  return {{plain}, {full}, {inline_script}, {thrown}};
}

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
  for (auto& collectors : collector_ends()) {
    messages.push_back(agent::result_of_run(identity, {}, collectors, ByteCount{16U << 10U}));
  }
  return messages;
}

/// The objects in a frame that tables speak of.
std::vector<json::json_pointer> tabled_objects(const json& frame) {
  std::vector<json::json_pointer> objects{json::json_pointer()};
  if (frame.at("type") != "result") return objects;
  objects.emplace_back("/result");
  objects.emplace_back("/result/metadata");
  if (!frame.at("result").at("metadata").contains("collectors")) return objects;
  for (const auto& [id, entry] : frame.at("result").at("metadata").at("collectors").items()) {
    objects.push_back(json::json_pointer("/result/metadata/collectors") / id);
  }
  return objects;
}

}  // namespace

TEST_CASE("every frame we send keeps the contract's field tables") {
  for (const AgentMessage& message : contract_messages()) {
    const std::string frame = encode(message);
    INFO(frame.substr(0, 1'000));
    CHECK(field_violation(frame) == std::nullopt);
  }
}

TEST_CASE("no message that has a table is left out") {
  std::set<std::string> sent;
  for (const AgentMessage& message : contract_messages()) {
    sent.insert(json::parse(encode(message)).at("type").get<std::string>());
  }
  for (const std::string_view tabled : devcore::tabled_messages()) {
    INFO(tabled);
    CHECK(sent.count(std::string(tabled)) == 1);
  }
  CHECK(sent.size() == devcore::tabled_messages().size());
}

TEST_CASE("the field tables find a field that is missing, of another type, or unknown") {
  std::size_t mutations = 0;
  for (const AgentMessage& message : contract_messages()) {
    const json good = json::parse(encode(message));
    for (const auto& object : tabled_objects(good)) {
      for (const auto& [name, value] : good.at(object).items()) {
        INFO(good.at("type") << ' ' << object.to_string() << ' ' << name);
        json wrong = good;
        wrong[object][name] = json::array({json::array()});
        // A payload may be anything.
        if (name != "payload") CHECK(field_violation(wrong.dump()));
        json unknown = good;
        unknown[object][name + "X"] = 1;
        CHECK(field_violation(unknown.dump()));
        ++mutations;
      }
    }
    json empty{{"type", good.at("type")}};
    CHECK(field_violation(empty.dump()));
  }
  CHECK(mutations > 100);
}
