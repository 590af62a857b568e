#include "sandbox/policy/policy.hpp"

#include <catch2/catch.hpp>

using namespace satellite::sandbox;

TEST_CASE("the shipped default refuses what it cannot enforce and lets nothing out") {
  const Policy policy = shipped_default_policy();
  CHECK(policy.enabled);
  CHECK(policy.on_unavailable == OnUnavailable::fail);
  CHECK(policy.filesystem.mode == FilesystemMode::scratch_plus_ro);
  CHECK(policy.network.mode == NetworkMode::allowlist);
  CHECK(policy.network.allow.empty());
  CHECK(policy.network.deny_link_local_and_metadata);
  CHECK(policy.privilege.mode == PrivilegeMode::drop_to_uid);
  CHECK_FALSE(policy.privilege.uid);
  CHECK(policy.resources.memory_bytes == 512U << 20U);
  CHECK(policy.resources.max_output_bytes == 5U << 20U);
}

TEST_CASE("the fail-closed policy never lets anything out, and degrades instead of failing") {
  const Policy policy = fail_closed_policy();
  CHECK(policy.enabled);
  CHECK(policy.network.mode == NetworkMode::deny);
  CHECK(policy.network.allow.empty());
  CHECK(policy.network.deny_link_local_and_metadata);
  CHECK(policy.on_unavailable == OnUnavailable::degrade);
  CHECK(policy.filesystem == shipped_default_policy().filesystem);
  CHECK(policy.resources == shipped_default_policy().resources);
}

TEST_CASE("the identity is seeded from the environment, and a malformed one counts as not set") {
  struct Row {
    std::optional<std::string> uid, gid;
    std::optional<std::uint64_t> expected_uid, expected_gid;
  };
  const auto row = GENERATE(values<Row>({
      {"1001", "1002", 1001, 1002},
      {" 1001\t", std::nullopt, 1001, std::nullopt},
      {"1001", "bad", 1001, std::nullopt},
      {"1001", "-1", 1001, std::nullopt},
      {std::nullopt, "1002", std::nullopt, std::nullopt},
      {"", "1002", std::nullopt, std::nullopt},
      {"   ", "1002", std::nullopt, std::nullopt},
      {"-1", "1", std::nullopt, std::nullopt},
      {"1.5", "1", std::nullopt, std::nullopt},
      {"nan", "1", std::nullopt, std::nullopt},
      {"inf", "1", std::nullopt, std::nullopt},
      {"1e400", "1", std::nullopt, std::nullopt},
      {"1x", "1", std::nullopt, std::nullopt},
      {"0x10", "0b11", 16, 3},
      {"0x", "1", std::nullopt, std::nullopt},
      {"-0x10", "1", std::nullopt, std::nullopt},
      {"1e3", "0o17", 1000, 15},
      {"0", "0", 0, 0},
  }));
  CAPTURE(row.uid.value_or("-"), row.gid.value_or("-"));
  const Policy policy = seeded_default_policy(row.uid, row.gid);
  CHECK(policy.privilege.uid == row.expected_uid);
  CHECK(policy.privilege.gid == row.expected_gid);
  Policy rest = policy;
  rest.privilege = shipped_default_policy().privilege;
  CHECK(rest == shipped_default_policy());
}

TEST_CASE("the stricter of two policies takes from each field what permits less") {
  Policy loose;
  loose.resources.cpu_seconds = 30;
  Policy tight = shipped_default_policy();
  tight.resources.max_processes.reset();
  loose.resources.max_processes = 8;
  const Policy both = stricter_of(loose, tight);
  CHECK(both.on_unavailable == OnUnavailable::fail);
  CHECK(both.resources.cpu_seconds == 30);
  CHECK(both.resources.max_processes == 8);
  CHECK(both.resources.memory_bytes == tight.resources.memory_bytes);
  CHECK(both.filesystem.mode == FilesystemMode::scratch_plus_ro);
  CHECK(both.network.mode == NetworkMode::allowlist);
  CHECK(both.privilege.mode == PrivilegeMode::drop_to_uid);
  CHECK(stricter_of(tight, loose) == both);
}

TEST_CASE("a disabled policy is never the stricter one") {
  Policy off = shipped_default_policy();
  off.enabled = false;
  CHECK(stricter_of(off, fail_closed_policy()) == fail_closed_policy());
  CHECK(stricter_of(fail_closed_policy(), off) == fail_closed_policy());
  CHECK_FALSE(stricter_of(off, off).enabled);
}

TEST_CASE("of two allowlists stays what both permit") {
  Policy a, b;
  a.network.mode = b.network.mode = NetworkMode::allowlist;
  a.network.allow = {"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "example.com"};
  b.network.allow = {"10.1.0.0/16", "192.0.2.0/24", "2001:db9::/32", "example.com"};
  const std::vector<std::string> expected{"192.0.2.1", "example.com", "10.1.0.0/16"};
  CHECK(stricter_of(a, b).network.allow == expected);

  b.network.mode = NetworkMode::deny;
  CHECK(stricter_of(a, b).network.mode == NetworkMode::deny);
  CHECK(stricter_of(a, b).network.allow.empty());

  b.network = NetworkPolicy{};
  CHECK(stricter_of(a, b).network.allow == a.network.allow);
}

TEST_CASE("a named identity is kept when the other policy only asks to drop") {
  Policy named, unnamed;
  named.privilege = {PrivilegeMode::drop_to_uid, 1001, 1002};
  unnamed.privilege.mode = PrivilegeMode::drop_to_uid;
  CHECK(stricter_of(named, unnamed).privilege == named.privilege);
  CHECK(stricter_of(unnamed, named).privilege == named.privilege);
  CHECK(stricter_of(named, Policy{}).privilege == named.privilege);
  CHECK(stricter_of(Policy{}, named).privilege == named.privilege);
}
