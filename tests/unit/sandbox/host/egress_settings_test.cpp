#include "sandbox/host/macvlan_settings.hpp"
#include "sandbox/launcher/verify/route_table.hpp"
#include "sandbox/planning/egress_notes.hpp"
#include "sandbox/planning/egress_rules.hpp"
#include "sandbox/probing/egress.hpp"

#include <catch2/catch.hpp>
#include <map>

using namespace satellite;
using namespace satellite::sandbox;

namespace {

using Variables = std::map<std::string, std::string>;

Result<std::optional<MacvlanSettings>> settings_of(const Variables& variables) {
  return macvlan_settings([&](const char* name) -> const char* {
    const auto found = variables.find(std::string(name).substr(sizeof("CHECKSTACK_SANDBOX_") - 1));
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

const Variables complete{{"MACVLAN_IP", "192.0.2.5"},
                         {"MACVLAN_NM", "255.255.255.0"},
                         {"MACVLAN_GW", "192.0.2.1"},
                         {"MACVLAN_IFACE", "eth7"}};

std::vector<std::string> notes_for(const std::vector<std::string>& allow,
                                   const std::vector<std::string>& name_servers) {
  NetworkPolicy policy;
  policy.mode = NetworkMode::allowlist;
  policy.allow = allow;
  HostFacts facts;
  facts.name_servers = name_servers;
  NetworkDecision decision;
  decision.egress = Egress::slirp4netns;
  decision.filter = *packet_filter({EgressRules::Kind::allowlist, allow, true});
  return egress_notes(policy, facts, decision);
}

bool any_begins(const std::vector<std::string>& texts, const std::string& beginning) {
  for (const auto& text : texts) {
    if (text.starts_with(beginning)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a macvlan uplink is configured by address, netmask and gateway together") {
  const auto settings = settings_of(complete);
  REQUIRE(settings);
  REQUIRE(*settings);
  CHECK((*settings)->interface == "eth7");
  CHECK((*settings)->ipv4.prefix_length == 24);
  CHECK((*settings)->ipv4.address[3] == 5);
  CHECK((*settings)->ipv4.gateway[3] == 1);
  CHECK_FALSE((*settings)->ipv6);
}

TEST_CASE("nothing set is no uplink, and no mistake") {
  const auto settings = settings_of({{"MACVLAN_IFACE", "eth7"}});
  REQUIRE(settings);
  CHECK_FALSE(*settings);
}

TEST_CASE("a malformed or partial uplink is not configured and names the variable") {
  const auto [variable, value] = GENERATE(table<std::string, std::string>({
      {"MACVLAN_IP", ""},
      {"MACVLAN_IP", "192.0.2"},
      {"MACVLAN_IP", "192.0.2.5/24"},
      {"MACVLAN_NM", ""},
      {"MACVLAN_NM", "255.0.255.0"},
      {"MACVLAN_NM", "0.0.0.0"},
      {"MACVLAN_GW", ""},
      {"MACVLAN_GW", "gateway"},
      {"MACVLAN_IFACE", "a/b"},
      {"MACVLAN_IFACE", "interface-name-too-long"},
      {"MACVLAN_IP6", "2001:db8::5/64"},
      {"MACVLAN_GW6", "2001:db8::1"},
  }));
  Variables variables = complete;
  variables[variable] = value;
  const auto settings = settings_of(variables);
  REQUIRE_FALSE(settings);
  CHECK(settings.error().code == ErrorCode::invalid_input);
}

TEST_CASE("an IPv6 uplink needs its prefix length and its gateway") {
  Variables variables = complete;
  variables["MACVLAN_GW6"] = "2001:db8::1";
  variables["MACVLAN_IP6"] = "2001:db8::5/64";
  const auto settings = settings_of(variables);
  REQUIRE(settings);
  CHECK((*settings)->ipv6->prefix_length == 64);
  for (const char* wrong :
       {"2001:db8::5", "2001:db8::5/", "2001:db8::5/129", "2001:db8::5/0", "x/64"}) {
    variables["MACVLAN_IP6"] = wrong;
    CHECK_FALSE(settings_of(variables));
  }
}

TEST_CASE("a report says which name servers a run reaches, or that names do not resolve") {
  CHECK(any_begins(notes_for({"10.0.0.0/8"}, {"10.0.0.53"}), "names resolve through 10.0.0.53"));
  CHECK(any_begins(notes_for({"10.0.0.0/8"}, {"192.0.2.53"}), "names do not resolve"));
  CHECK(any_begins(notes_for({"0.0.0.0/0"}, {"127.0.0.53"}), "names do not resolve"));
  CHECK(any_begins(notes_for({"0.0.0.0/0"}, {}), "names do not resolve"));
  CHECK(any_begins(notes_for({"0.0.0.0/0"}, {"169.254.169.253"}), "names do not resolve"));
}

TEST_CASE("a report says which entries of an allowlist have no effect, being on loopback") {
  const auto notes = notes_for({"127.0.0.0/8", "10.0.0.1", "::1"}, {});
  CHECK(any_begins(notes, "only these destinations can be reached: 10.0.0.1"));
  CHECK(any_begins(notes, "without effect in network.allow: 127.0.0.0/8, ::1;"));
  CHECK(any_begins(notes_for({"127.0.0.1"}, {}), "no destination can be reached"));
  CHECK_FALSE(any_begins(notes_for({"10.0.0.1"}, {}), "without effect"));
  CHECK_FALSE(any_begins(notes_for({"0.0.0.0/0"}, {}), "without effect"));
}

TEST_CASE("slirp4netns sends echo requests where one of its groups may") {
  CHECK(any_may_ping("0\t2147483647\n", {0}));
  CHECK(any_may_ping("100\t200\n", {5, 200}));
  CHECK_FALSE(any_may_ping("1\t0\n", {0, 1}));
  CHECK_FALSE(any_may_ping("100\t200\n", {99, 201}));
  CHECK_FALSE(any_may_ping("", {0}));
}

TEST_CASE("a report says when IPv6 destinations cannot be reached") {
  CHECK(any_begins(notes_for({"2001:db8::/32"}, {}), "IPv6 destinations are out of reach"));
  CHECK_FALSE(any_begins(notes_for({"10.0.0.0/8"}, {}), "IPv6 destinations"));
}

TEST_CASE("name servers are the addresses of resolv.conf's nameserver lines") {
  CHECK(name_servers_of("# x\nsearch a b\nnameserver 10.0.0.53\n nameserver\nnameserver ::1 x\n") ==
        std::vector<std::string>{"10.0.0.53", "::1"});
}

TEST_CASE("routes are shown as a person writes them, and none is left out") {
  CHECK(describe_routes("Iface\tDestination\tGateway\n"
                        "tap0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
                        "tap0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
                        "broken\n") == std::vector<std::string>{"default via 10.0.2.2 dev tap0",
                                                                "10.0.2.0/24 dev tap0", "broken"});
}
