#include "agent/dispatch/automation_environment.hpp"

#include "agent/javascript/javascript_text.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;

TEST_CASE("numbers read as JavaScript writes them") {
  const auto [number, text] = GENERATE(table<double, std::string>({{0.0, "0"},
                                                                   {-0.0, "0"},
                                                                   {1.0, "1"},
                                                                   {-1.5, "-1.5"},
                                                                   {0.1, "0.1"},
                                                                   {100.0, "100"},
                                                                   {123456.789, "123456.789"},
                                                                   {1e20, "100000000000000000000"},
                                                                   {1e21, "1e+21"},
                                                                   {1.25e22, "1.25e+22"},
                                                                   {0.000001, "0.000001"},
                                                                   {1e-7, "1e-7"},
                                                                   {5e-324, "5e-324"}}));
  CHECK(javascript_number_text(number) == text);
}

TEST_CASE("the event, payload, artifacts, variables and repeat become variables") {
  const auto environment = automation_environment(R"({
    "trigger": {"id": "t", "event": "incident.created", "actor": {"type": "user"},
                "payload": {"systemIds": ["a", "b"], "comments": [{"author": "al"}], "none": null,
                            "open": true, "score": 1.0, "empty": []}},
    "artifacts": {"jira.issue": {"key": "OPS-1"}},
    "vars": {"name": "x"}, "repeat": {"index": 2, "item": {"id": 7}}})");
  REQUIRE(environment);
  const std::map<std::string, std::string> expected{
      {"CHECKSTACK_TRIGGER_EVENT", "incident.created"},
      {"CHECKSTACK_TRIGGER_PAYLOAD_SYSTEMIDS", "a\nb"},
      {"CHECKSTACK_TRIGGER_PAYLOAD_SYSTEMIDS_0", "a"},
      {"CHECKSTACK_TRIGGER_PAYLOAD_SYSTEMIDS_1", "b"},
      {"CHECKSTACK_TRIGGER_PAYLOAD_COMMENTS", "{\"author\":\"al\"}"},
      {"CHECKSTACK_TRIGGER_PAYLOAD_COMMENTS_0_AUTHOR", "al"},
      {"CHECKSTACK_TRIGGER_PAYLOAD_OPEN", "true"},
      {"CHECKSTACK_TRIGGER_PAYLOAD_SCORE", "1"},
      {"CHECKSTACK_TRIGGER_PAYLOAD_EMPTY", ""},
      {"CHECKSTACK_ARTIFACT_JIRA_ISSUE_KEY", "OPS-1"},
      {"CHECKSTACK_VAR_NAME", "x"},
      {"CHECKSTACK_REPEAT_INDEX", "2"},
      {"CHECKSTACK_REPEAT_ITEM_ID", "7"}};
  CHECK(*environment == expected);
}

TEST_CASE("a context of any other shape flattens to nothing") {
  const auto text = GENERATE(as<std::string>{}, "null", "1", "[]", "{\"trigger\":5}",
                             "{\"artifacts\":[1]}", "{\"vars\":\"x\"}");
  const auto environment = automation_environment(text);
  REQUIRE(environment);
  CHECK(environment->count("CHECKSTACK_TRIGGER_EVENT") == 0);
}

TEST_CASE("a context that multiplies itself is refused") {
  std::string nested = "1";
  for (int i = 0; i < 12; ++i) nested = "[" + nested + "," + nested + "]";
  const auto environment = automation_environment("{\"vars\":{\"bomb\":" + nested + "}}");
  REQUIRE_FALSE(environment);
  CHECK(environment.error().code == ErrorCode::limit_exceeded);
}
