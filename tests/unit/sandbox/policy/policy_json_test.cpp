#include "sandbox/policy/policy_json.hpp"

#include "unit/sandbox/hosts.hpp"

#include <random>

using namespace satellite;
using namespace satellite::sandbox;
using nlohmann::json;

TEST_CASE("an empty policy has the schema's defaults") {
  const auto policy = parse_policy("{}");
  REQUIRE(policy.has_value());
  CHECK(*policy == Policy{});
  CHECK(policy->enabled);
  CHECK(policy->on_unavailable == OnUnavailable::degrade);
  CHECK(policy->network.mode == NetworkMode::unrestricted);
  CHECK(policy->network.deny_link_local_and_metadata);
}

TEST_CASE("a policy goes to JSON and back unchanged") {
  Policy policy = shipped_default_policy();
  policy.network.allow = {"10.0.0.0/8", "::1"};
  policy.filesystem.scratch_bytes = 1;
  policy.privilege = {PrivilegeMode::drop_to_uid, 0, 9'007'199'254'740'991};
  for (const Policy& each : {policy, Policy{}, fail_closed_policy()}) {
    const auto back = parse_policy(to_json(each).dump());
    REQUIRE(back.has_value());
    CHECK(*back == each);
  }
}

TEST_CASE("an invalid policy names the path, the value and the bound") {
  using Row = std::tuple<std::string, std::string>;
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      Row{R"({"resources":{"cpuSeconds":3601}})",
          "resources.cpuSeconds: 3601 is above the maximum 3600"},
      Row{R"({"resources":{"maxProcesses":0}})",
          "resources.maxProcesses: 0 is below the minimum 1"},
      Row{R"({"resources":{"memoryBytes":1.5}})",
          "resources.memoryBytes: 1.5 is not a whole number"},
      Row{R"({"resources":{"memoryBytes":9007199254740993}})",
          "resources.memoryBytes: 9007199254740993 is above the maximum 9007199254740991"},
      Row{R"({"network":{"allow":["10.0.0.1",5]}})", "network.allow[1]: 5 is not a string"},
      Row{R"({"network":{"mode":"open"}})",
          R"(network.mode: "open" is not one of unrestricted, deny, allowlist)"},
      Row{R"({"enabled":"yes"})", R"(enabled: "yes" is not true or false)"},
      Row{R"({"privilege":null})", "privilege: null is not an object"},
      Row{R"({"colour":1})", R"(policy: unknown: "colour")"},
      Row{R"([])", "policy: a list is not an object"},
  }));
  const auto policy = parse_policy(text);
  REQUIRE_FALSE(policy.has_value());
  CHECK(policy.error().code == ErrorCode::invalid_input);
  CHECK(policy.error().message == "invalid sandbox policy: " + expected);
}

TEST_CASE("unknown keys are invalid at every level") {
  const char* text = GENERATE(R"({"x":1})", R"({"resources":{"x":1}})", R"({"filesystem":{"x":1}})",
                              R"({"network":{"x":1}})", R"({"privilege":{"x":1}})");
  const auto issues = policy_issues(json::parse(text));
  REQUIRE(issues.size() == 1);
  CHECK(issues[0].code == "unrecognized_keys");
}

TEST_CASE("a policy that says something twice is invalid, also where it is merged") {
  const char* text = GENERATE(R"({"enabled":true,"enabled":false})",
                              R"({"network":{"mode":"deny","mode":"unrestricted"}})",
                              R"({"enabled":false,"e\u006eabled":true})");
  CHECK(parse_policy(text).error().code == ErrorCode::invalid_input);
  CHECK(merge_policy(shipped_default_policy(), text).error().code == ErrorCode::invalid_input);
}

TEST_CASE("policy text beyond its bounds is refused before it is parsed") {
  const std::string many(300'000, ' ');
  CHECK(parse_policy(many).error().code == ErrorCode::limit_exceeded);
  std::string deep(10'000, '[');
  CHECK(parse_policy(deep).error().code == ErrorCode::limit_exceeded);
  std::string wide = R"({"network":{"allow":["a")";
  for (int i = 0; i < 30'000; ++i) wide += ",\"\"";
  CHECK(parse_policy(wide + "]}}").error().code == ErrorCode::limit_exceeded);
  CHECK(parse_policy("{").error().code == ErrorCode::invalid_input);
  CHECK(parse_policy("").error().code == ErrorCode::invalid_input);
}

TEST_CASE("entries that no rule can be made of are named for whoever writes a policy") {
  Policy policy;
  policy.network.allow = {"10.0.0.0/8", "example.com", "10.0.0.0/33"};
  const auto issues = allow_issues(policy);
  REQUIRE(issues.size() == 2);
  CHECK(text_of(issues[0]) == R"(network.allow[1]: "example.com" is not an IPv4 or IPv6 address)");
  CHECK(text_of(issues[1]) == R"(network.allow[2]: "10.0.0.0/33" is not a CIDR block)");
}

TEST_CASE("a hostile value cannot break out of the message that quotes it") {
  const auto policy = parse_policy("{\"onUnavailable\":\"a\\nb\\u001b[2J\\\"\"}");
  REQUIRE_FALSE(policy.has_value());
  const auto& message = policy.error().message;
  CHECK(std::none_of(message.begin(), message.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
}

TEST_CASE("a merge changes only what the override sets") {
  const Policy base = shipped_default_policy();
  const Policy merged = test::default_with(R"({"network":{"mode":"deny"}})");
  CHECK(merged.network.mode == NetworkMode::deny);
  CHECK(merged.filesystem == base.filesystem);
  CHECK(merged.privilege == base.privilege);
  CHECK(merged.resources == base.resources);
  CHECK(merged.on_unavailable == base.on_unavailable);
  CHECK(test::default_with("{}") == base);
  CHECK(test::default_with(R"({"network":{"allow":[]}})") == base);
}

TEST_CASE("an invalid override merges into nothing") {
  const char* text = GENERATE(R"({"resources":{"cpuSeconds":99999}})", R"({"bogus":1})",
                              R"({"resources":null})", R"({"network":{"allow":[1]}})", "null");
  CHECK_FALSE(merge_policy(shipped_default_policy(), text).has_value());
}

namespace {

/// Some members of a whole policy, chosen at random.
json random_part(const json& whole, std::mt19937& random) {
  json part = json::object();
  for (const auto& [key, value] : whole.items()) {
    if (random() % 2 == 0) continue;
    part[key] = value.is_object() ? random_part(value, random) : value;
  }
  return part;
}

void expect_untouched(const json& base, const json& part, const json& merged) {
  for (const auto& [key, value] : base.items()) {
    if (!part.contains(key)) {
      CHECK(merged.at(key) == value);
    } else if (value.is_object()) {
      expect_untouched(value, part.at(key), merged.at(key));
    } else {
      CHECK(merged.at(key) == part.at(key));
    }
  }
}

}  // namespace

TEST_CASE("property: a merge never loosens what the override does not mention") {
  const unsigned seed = 20'261'122;
  CAPTURE(seed);
  std::mt19937 random(seed);
  const json other = to_json(test::policy_of(
      R"({"enabled":false,"onUnavailable":"degrade","resources":{"cpuSeconds":1,"memoryBytes":2,
          "maxOpenFiles":3,"maxProcesses":4,"maxOutputBytes":5,"maxFileSizeBytes":6},
          "filesystem":{"mode":"off"},"network":{"mode":"unrestricted","allow":["::1"],
          "denyLinkLocalAndMetadata":false},"privilege":{"mode":"inherit"}})"));
  const json base = to_json(shipped_default_policy());
  for (int round = 0; round < 500; ++round) {
    const json part = random_part(other, random);
    const auto merged = overlay_policy(shipped_default_policy(), part);
    REQUIRE(merged.has_value());
    expect_untouched(base, part, to_json(*merged));
  }
}
