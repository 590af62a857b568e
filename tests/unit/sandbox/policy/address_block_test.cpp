#include "sandbox/policy/address_block.hpp"

#include "sandbox/planning/egress_rules.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::sandbox;

TEST_CASE("an allow entry is exactly one address or one CIDR block") {
  const char* text =
      GENERATE("10.0.0.0/8", "192.0.2.1", "0.0.0.0/0", "255.255.255.255/32", "::/0", "::1",
               "2001:db8::/32", "2001:DB8::1", "fe80::/10", "127.0.0.1/32", "64:ff9b::192.0.2.1");
  CAPTURE(text);
  CHECK(parse_address_block(text).has_value());
}

TEST_CASE("everything that is no address or block is refused") {
  const std::string text = GENERATE(
      as<std::string>(), "", " ", " 10.0.0.1 ", "10.0.0.1 ", "example.com", "localhost",
      "10.0.0.1-10.0.0.9", "1.2.3.4 } accept; #", "1.2.3.4;", "10.0.0.0/33", "10.0.0.0/-1",
      "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0.0/", "/8", "10.0.0", "10.0.0.0.0",
      "010.0.0.1", "0x0a.0.0.1", "999.1.1.1", "10.1", "not:an:ip", "::/129", "fe80::1%eth0",
      "[::1]", "::1/128/1", "::ffff:10.0.0.1", "::ffff:0:0/96", "10.0.0.1/8", "2001:db8::1/32",
      "10.0.0.1\n", "1.2.3.4,5.6.7.8", "10.0.0.0/99999999999999999999", "!10.0.0.1",
      "2001:db8:0:0:0:0:0:0:0", std::string(5000, '1'));
  CAPTURE(text);
  const auto block = parse_address_block(text);
  REQUIRE_FALSE(block.has_value());
  CHECK(block.error().code == ErrorCode::invalid_input);
  CHECK(block.error().message.size() < 400);
}

TEST_CASE("a NUL inside an entry does not hide what follows it") {
  CHECK_FALSE(parse_address_block(std::string("10.0.0.1\0 } accept", 18)).has_value());
}

TEST_CASE("a block contains exactly its own addresses") {
  using Row = std::tuple<const char*, const char*, bool>;
  const auto [outer, inner, expected] = GENERATE(table<const char*, const char*, bool>({
      Row{"10.0.0.0/8", "10.255.255.255", true},
      Row{"10.0.0.0/8", "11.0.0.0", false},
      Row{"10.0.0.0/8", "10.0.0.0/8", true},
      Row{"10.0.0.0/9", "10.128.0.0/9", false},
      Row{"10.0.0.0/16", "10.0.0.0/8", false},
      Row{"0.0.0.0/0", "203.0.113.9", true},
      Row{"0.0.0.0/0", "::1", false},
      Row{"2001:db8::/33", "2001:db8:8000::/33", false},
      Row{"2001:db8::/32", "2001:db8:ffff::/48", true},
  }));
  CAPTURE(outer, inner);
  CHECK(contains(*parse_address_block(outer), *parse_address_block(inner)) == expected);
}

TEST_CASE("the metadata block comes before every accept, so that no entry opens it again") {
  const auto rules = egress_ruleset({EgressRules::Kind::allowlist, {"169.254.0.0/16"}, true});
  REQUIRE(rules.has_value());
  const auto drop = rules->find("ip daddr { 169.254.0.0/16 } drop");
  const auto accept = rules->find("ip daddr { 169.254.0.0/16 } accept");
  REQUIRE(drop != std::string::npos);
  REQUIRE(accept != std::string::npos);
  CHECK(drop < accept);
  CHECK(rules->find("fe80::/10, fc00::/7") < accept);
}

TEST_CASE("IPv4 and IPv6 entries go to rules of their own, and the rest is dropped") {
  const auto rules = egress_ruleset(
      {EgressRules::Kind::allowlist, {"10.0.0.0/8", "2001:db8::/32", "192.0.2.1"}, true});
  REQUIRE(rules.has_value());
  CHECK(rules->find("ip daddr { 10.0.0.0/8, 192.0.2.1 } accept") != std::string::npos);
  CHECK(rules->find("ip6 daddr { 2001:db8::/32 } accept") != std::string::npos);
  CHECK(rules->ends_with("    drop\n  }\n}"));
}

TEST_CASE("blocking metadata alone drops nothing else") {
  const auto rules = egress_ruleset({EgressRules::Kind::metadata_only, {}, true});
  REQUIRE(rules.has_value());
  CHECK(rules->find("policy accept") != std::string::npos);
  CHECK(rules->find("169.254.0.0/16") != std::string::npos);
  CHECK(rules->find("    drop\n") == std::string::npos);
}

TEST_CASE("one hostile entry yields no ruleset at all and is named with its place") {
  const auto rules =
      egress_ruleset({EgressRules::Kind::allowlist, {"10.0.0.0/8", "1.2.3.4 } accept; #"}, true});
  REQUIRE_FALSE(rules.has_value());
  CHECK(rules.error().message.starts_with("network.allow[1]: \"1.2.3.4 } accept; #\""));
}
