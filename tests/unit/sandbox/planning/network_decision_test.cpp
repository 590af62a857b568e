#include "sandbox/planning/network_decision.hpp"

#include "unit/sandbox/hosts.hpp"

using namespace satellite::sandbox;
using namespace satellite::sandbox::test;
using NetworkKind = NetworkDecision::Kind;

namespace {

NetworkDecision decided(const std::string& network, const HostFacts& facts) {
  return decide_network(policy_of(R"({"network":)" + network + "}").network, facts);
}

const std::string deny = R"({"mode":"deny"})";
const std::string nothing_allowed = R"({"mode":"allowlist"})";
const std::string allowlist = R"({"mode":"allowlist","allow":["10.0.0.0/8"]})";
const std::string metadata_block = R"({"mode":"unrestricted"})";
const std::string unrestricted = R"({"mode":"unrestricted","denyLinkLocalAndMetadata":false})";

}  // namespace

TEST_CASE("deny takes a namespace without a route, a ruleset or an uplink") {
  for (const auto& host : {unprivileged_bwrap_host(), unprivileged_nsjail_host()}) {
    const auto decision = decided(deny, host);
    CHECK(decision.kind == NetworkKind::namespaced);
    CHECK(decision.egress == Egress::routeless);
    CHECK_FALSE(decision.ruleset);
    CHECK(decision.uplink.empty());
  }
}

TEST_CASE("an allowlist that allows nothing is deny, and needs nothing but a namespace") {
  for (const auto& host : {unprivileged_bwrap_host(), rootless_egress_host(), macvlan_host()}) {
    const auto decision = decided(nothing_allowed, host);
    CHECK(decision.kind == NetworkKind::namespaced);
    CHECK(decision.egress == Egress::routeless);
    CHECK_FALSE(decision.ruleset);
  }
}

TEST_CASE("deny degrades where no namespace can be made, and says on what platform") {
  CHECK(decided(deny, bare_root_host()).kind == NetworkKind::degrade);
  CHECK(decided(nothing_allowed, mac_host()).kind == NetworkKind::degrade);
  CHECK(decided(deny, mac_host()).reason.find("platform=darwin") != std::string::npos);
}

TEST_CASE("an allowlist gets a filtered way out by a macvlan with its addressing") {
  const auto decision = decided(allowlist, macvlan_host());
  CHECK(decision.kind == NetworkKind::namespaced);
  CHECK(decision.egress == Egress::macvlan);
  CHECK(decision.uplink == "eth0");
  CHECK(decision.addressing == macvlan_host().net_egress_addressing);
  REQUIRE(decision.ruleset);
  CHECK(decision.ruleset->find("10.0.0.0/8") != std::string::npos);
  CHECK(decision.ruleset->find("169.254.0.0/16") != std::string::npos);
}

TEST_CASE("an allowlist gets a filtered way out rootless, without uplink or addressing") {
  const auto decision = decided(allowlist, rootless_egress_host());
  CHECK(decision.kind == NetworkKind::namespaced);
  CHECK(decision.egress == Egress::slirp4netns);
  CHECK(decision.uplink.empty());
  CHECK_FALSE(decision.addressing);
  CHECK(decision.ruleset);
}

TEST_CASE("where both ways out exist the macvlan is preferred") {
  HostFacts both = macvlan_host();
  both.net_egress_rootless = true;
  CHECK(decided(allowlist, both).egress == Egress::macvlan);
}

TEST_CASE("an allowlist degrades with a reason rather than becoming a blackhole") {
  HostFacts unaddressed = macvlan_host();
  unaddressed.net_egress_addressing.reset();
  for (const auto& host : {unaddressed, unprivileged_nsjail_host(), unprivileged_bwrap_host()}) {
    const auto decision = decided(allowlist, host);
    CHECK(decision.kind == NetworkKind::degrade);
    for (const char* word : {"macvlan", "addressing", "blackhole", "rootless", "slirp4netns"}) {
      CHECK(decision.reason.find(word) != std::string::npos);
    }
  }
}

TEST_CASE("blocking metadata keeps ordinary traffic flowing through a filtered way out") {
  CHECK(decided(metadata_block, macvlan_host()).uplink == "eth0");
  const auto rootless = decided(metadata_block, rootless_egress_host());
  CHECK(rootless.kind == NetworkKind::namespaced);
  CHECK(rootless.egress == Egress::slirp4netns);
  CHECK(rootless.ruleset->find("169.254.0.0/16") != std::string::npos);
}

TEST_CASE("blocking metadata never cuts off everything else where it cannot be filtered") {
  for (const auto& host : {unprivileged_bwrap_host(), unprivileged_nsjail_host()}) {
    const auto decision = decided(metadata_block, host);
    CHECK(decision.kind == NetworkKind::host);
    CHECK(decision.metadata_block_unenforceable);
    CHECK_FALSE(decision.reason.empty());
  }
}

TEST_CASE("without the metadata block an unrestricted run keeps the host's network") {
  const auto decision = decided(unrestricted, macvlan_host());
  CHECK(decision.kind == NetworkKind::host);
  CHECK_FALSE(decision.metadata_block_unenforceable);
}

TEST_CASE("an allowlist with an unusable entry lets nothing out and names the entry") {
  const std::string network =
      R"({"mode":"allowlist","allow":["10.0.0.0/8","1.2.3.4 } accept; #"]})";
  for (const auto& host : {rootless_egress_host(), macvlan_host(), unprivileged_bwrap_host()}) {
    const auto decision = decided(network, host);
    CHECK(decision.kind == NetworkKind::namespaced);
    CHECK(decision.egress == Egress::routeless);
    CHECK_FALSE(decision.ruleset);
    CHECK(decision.reason.find("network.allow[1]") != std::string::npos);
  }
  CHECK(decided(network, mac_host()).kind == NetworkKind::degrade);
}
