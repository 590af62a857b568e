#include "agent/checks/config/check_definition.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::agent;

namespace {

protocol::Assignment in_two_environments() {
  protocol::Assignment assignment;
  assignment.config_id = ConfigId("cfg");
  assignment.system_id = SystemId("sys");
  // Names longer than a string keeps in itself, so that a stale one is seen by a sanitizer.
  assignment.environments_json =
      R"([{"id":"environment-of-the-first-customer","name":"First","fields":{"url":"one"}},
          {"id":"environment-of-the-second-customer","name":"Second","fields":{"url":"two"}}])";
  return assignment;
}

}  // namespace

TEST_CASE("a check of one environment gets the name and the fields of that one") {
  const auto second = define_check(in_two_environments(), "environment-of-the-second-customer");
  CHECK(second.context.has_environment);
  CHECK(second.context.environment_name == "Second");
  const ScriptValue url = second.context.environment_fields.member("url");
  CHECK(url.string_form() == "two");
}

TEST_CASE("an environment that is not described has an id and nothing else") {
  const auto other = define_check(in_two_environments(), "somewhere else");
  CHECK(other.context.has_environment);
  CHECK(other.context.environment_id == "somewhere else");
  CHECK(other.context.environment_fields.json() == "{}");
  const auto none = define_check(in_two_environments(), std::nullopt);
  CHECK_FALSE(none.context.has_environment);
}
