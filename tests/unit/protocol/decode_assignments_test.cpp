#include "tests/unit/protocol/decoded.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <tuple>

using namespace satellite;
using namespace satellite::protocol;
using satellite::tests::decoded;
using satellite::tests::refused;

namespace {

const std::string good =
    R"({"configId":"c","systemId":"s","strategyId":"p.s","config":{},"intervalSeconds":60})";

/// An assignment that is good but for one member (added or replaced).
std::string good_with(const std::string& member) {
  return tests::with_member(good, member);
}

AssignmentSet decoded_assignments(const std::string& entries) {
  return decoded<ConfigUpdated>(R"({"type":"config_updated","assignments":[)" + entries + "]}")
      .assignments;
}

}  // namespace

TEST_CASE("an assignment keeps ids, names and interval, and the rest as it stood in the frame") {
  const auto set = decoded_assignments(
      R"({"configId":"c0b0f4b2","systemId":"sys-pay","strategyId":"healthcheck-script.script",
          "config":{"timeout":3e4, "b":1,"a":2},"intervalSeconds":60,"configName":"Queue depth",
          "systemName":"Payments","systemMetadata":{"tier":1,"owner":"team-pay"},
          "collectors":[{"id":"5e0d","collectorId":"healthcheck-script.execute",
            "config":{"script":"./depth.sh \"$Q\""},
            "assertions":[{"field":"exitCode","operator":"equals","value":0}]}],
          "environments":[{"id":"env-eu","name":"EU","fields":{"z":"1","a":"2"}}]})");
  REQUIRE(set.rejected.empty());
  REQUIRE(set.accepted.size() == 1);
  const Assignment& assignment = set.accepted[0];
  CHECK(assignment.config_id == ConfigId("c0b0f4b2"));
  CHECK(assignment.system_id == SystemId("sys-pay"));
  CHECK(assignment.strategy_id == "healthcheck-script.script");
  CHECK(assignment.interval.count() == 60);
  CHECK(assignment.config_name == "Queue depth");
  CHECK(assignment.system_name == "Payments");
  CHECK(assignment.config_json == R"({"timeout":3e4, "b":1,"a":2})");
  CHECK(assignment.environments_json ==
        R"([{"id":"env-eu","name":"EU","fields":{"z":"1","a":"2"}}])");
  CHECK(assignment.system_metadata_json == R"({"tier":1,"owner":"team-pay"})");
  CHECK(assignment.collectors_json.find(R"("./depth.sh \"$Q\"")") != std::string::npos);
}

TEST_CASE("what an assignment leaves out is empty, not missing") {
  const auto set = decoded_assignments(good);
  REQUIRE(set.accepted.size() == 1);
  CHECK(set.accepted[0].collectors_json == "[]");
  CHECK(set.accepted[0].environments_json == "[]");
  CHECK(set.accepted[0].system_metadata_json == "{}");
  CHECK_FALSE(set.accepted[0].config_name.has_value());
}

TEST_CASE("one bad assignment is named by its place and does not lose the others") {
  const auto set = decoded_assignments(good + R"(,null,{"configId":7},)" + good);
  CHECK(set.accepted.size() == 2);
  REQUIRE(set.rejected.size() == 2);
  CHECK(set.rejected[0].index == 1);
  CHECK(set.rejected[0].why == "$: must be an object");
  CHECK(set.rejected[1].index == 2);
  CHECK(set.rejected[1].why == "$.configId: must be a string");
}

TEST_CASE("every rule of an assignment is checked") {
  const auto [member, path] = GENERATE(table<std::string, std::string>({
      {R"("configId":null)", "configId"},
      {R"("systemId":1)", "systemId"},
      {R"("strategyId":{})", "strategyId"},
      {R"("intervalSeconds":"60")", "intervalSeconds"},
      {R"("intervalSeconds":null)", "intervalSeconds"},
      {R"("config":[])", "config"},
      {R"("config":"{}")", "config"},
      {R"("configName":5)", "configName"},
      {R"("systemName":null)", "systemName"},
      {R"("systemMetadata":[])", "systemMetadata"},
      {R"("collectors":{})", "collectors"},
      {R"("collectors":[null])", "collectors[0]"},
      {R"("collectors":[{"collectorId":"k","config":{}}])", "collectors[0].id"},
      {R"("collectors":[{"id":"1","config":{}}])", "collectors[0].collectorId"},
      {R"("collectors":[{"id":"1","collectorId":"k"}])", "collectors[0].config"},
      {R"("collectors":[{"id":"1","collectorId":"k","config":[]}])", "collectors[0].config"},
      {R"("collectors":[{"id":"1","collectorId":"k","config":{},"assertions":[{"field":"f"}]}])",
       "collectors[0].assertions[0].operator"},
      {R"("environments":[{"id":"e"}])", "environments[0].name"},
      {R"("environments":[{"id":"e","name":"n","fields":[]}])", "environments[0].fields"},
  }));
  CAPTURE(member);
  const auto set = decoded_assignments(good_with(member));
  CHECK(set.accepted.empty());
  REQUIRE(set.rejected.size() == 1);
  const std::string expected = "$." + path + ": ";
  CHECK(set.rejected[0].why.substr(0, expected.size()) == expected);
}

TEST_CASE("members that are missing are named") {
  const auto set = decoded_assignments(R"({"configId":"c","systemId":"s","config":{}})");
  REQUIRE(set.rejected.size() == 1);
  CHECK(set.rejected[0].why == "$.strategyId: is missing");
}

TEST_CASE("any number is an interval here, because the floor belongs to the scheduler") {
  CHECK(
      decoded_assignments(good_with(R"("intervalSeconds":-0.5)")).accepted.at(0).interval.count() ==
      -0.5);
  CHECK(
      decoded_assignments(good_with(R"("intervalSeconds":1e9)")).accepted.at(0).interval.count() ==
      1e9);
}

TEST_CASE("counts and lengths within an assignment are bounded") {
  std::string collectors = R"({"id":"1","collectorId":"k","config":{}})";
  for (std::size_t i = 1; i < limits::collectors_per_assignment_max; ++i) {
    collectors += R"(,{"id":"1","collectorId":"k","config":{}})";
  }
  CHECK(decoded_assignments(good_with("\"collectors\":[" + collectors + "]")).accepted.size() == 1);
  CHECK(decoded_assignments(good_with("\"collectors\":[" + collectors + ",{}]")).rejected.size() ==
        1);
  const std::string id(limits::id_size_max.value, 'i');
  CHECK(decoded_assignments(good_with("\"configId\":\"" + id + "\"")).accepted.size() == 1);
  CHECK(decoded_assignments(good_with("\"configId\":\"" + id + "i\"")).rejected.size() == 1);
}

TEST_CASE("more assignments than the limit are no set at all") {
  std::string entries = "0";
  for (std::size_t i = 1; i < limits::assignments_max; ++i) entries += ",0";
  const std::string start = R"({"type":"config_updated","assignments":[)";
  CHECK(decoded<ConfigUpdated>(start + entries + "]}").assignments.rejected.size() ==
        limits::assignments_max);
  CHECK(refused(start + entries + ",0]}").code == ErrorCode::limit_exceeded);
}

TEST_CASE("a rejected assignment is named as far as it can be read") {
  const auto set = decoded<ConfigUpdated>(R"({"type":"config_updated","assignments":[
      {"configId":"c-1","systemId":"s-1","strategyId":"x","intervalSeconds":1,
       "environments":[{"id":"e-1","name":"E"},5,{"name":"no id"},{"id":"e-2","name":"F"}]},
      {"configId":7,"systemId":"s-1"},
      "no object"]})")
                       .assignments;
  REQUIRE(set.rejected.size() == 3);
  CHECK(set.rejected[0].config_id == "c-1");
  CHECK(set.rejected[0].system_id == "s-1");
  CHECK(set.rejected[0].strategy_id == "x");
  CHECK(set.rejected[0].environment_ids == std::vector<std::string>{"e-1", "e-2"});
  CHECK(set.rejected[1].config_id.empty());
  CHECK(set.rejected[1].system_id == "s-1");
  CHECK(set.rejected[2].system_id.empty());
}
