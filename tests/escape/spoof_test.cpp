// E41 of the list: the addresses of others, on the wire and beside it.
#include "tests/escape/escape_bench.hpp"
#include "tests/escape/open_room.hpp"
#include "tests/support/ways_out.hpp"

#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

/// The kernel stops looking for a neighbour about when the probe stops waiting for it.
std::string without_the_last_word(std::string text) {
  const std::string last_word = "EHOSTUNREACH";
  for (auto at = text.find(last_word); at != text.npos; at = text.find(last_word)) {
    text.replace(at, last_word.size(), "ETIMEDOUT");
  }
  return text;
}

}  // namespace

TEST_CASE("no packet leaves with the address of somebody else", "[egress]") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  probe_path();  // made here, so that no child has to take it away
  const Way way = GENERATE(from_range(every_way()));
  const Engine engine = each_present_engine();
  INFO(name_of(way) << ", " << sandbox::name_of(engine));
  const std::string uplink = way == Way::macvlan_of_root ? "uplink0" : "tap0";
  CHECK(by(way,
           [&] {
             EscapeBench bench(engine, std::nullopt, ScriptBench::Egress::tried,
                               macvlan_for(way, network));
             return bench.attempt_together(
                 {"send-from plain 198.51.100.77 198.51.100.1 7000",
                  "send-from freebind 198.51.100.77 198.51.100.1 7000",
                  "send-from packet-info 198.51.100.77 198.51.100.1 7000",
                  "send-from transparent 198.51.100.77 198.51.100.1 7000", "open-socket raw",
                  "open-socket packet", "set-neighbour " + uplink + " 198.51.100.1",
                  "ask-udp 198.51.100.1 7000"},
                 allowing_only(engine, {"198.51.100.0/24"}));
           }) ==
        "send-from plain 198.51.100.77 198.51.100.1 7000: EADDRNOTAVAIL\n"
        "send-from freebind 198.51.100.77 198.51.100.1 7000: EPERM\n"
        "send-from packet-info 198.51.100.77 198.51.100.1 7000: EPERM\n"
        "send-from transparent 198.51.100.77 198.51.100.1 7000: EPERM\nopen-socket raw: EPERM\n"
        "open-socket packet: EAFNOSUPPORT\nset-neighbour " +
            uplink + " 198.51.100.1: EPERM\nask-udp 198.51.100.1 7000: ok\n");
  // Whoever owns his network may.
  for (const char* words : {"send-from plain 192.0.2.1 192.0.2.1 53",
                            "send-from transparent 198.51.100.77 192.0.2.1 53", "open-socket raw",
                            "open-socket packet", "set-neighbour lo 192.0.2.9"}) {
    INFO(words << " in a room");
    CHECK(attempt_in_room(words).said == "ok");
  }
}

// Only a macvlan carries IPv6. The kernel asks no privilege for a foreign source there: what stops
// it is the system call filter.
TEST_CASE("no IPv6 packet leaves with the address of somebody else", "[egress]") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const Engine engine = each_present_engine();
  EscapeBench bench(engine, std::nullopt, ScriptBench::Egress::tried, network.macvlan());
  CHECK(bench.attempt_together(
            {"send-from plain 2001:db8:1::77 2001:db8:1::1 7000",
             "send-from freebind 2001:db8:1::77 2001:db8:1::1 7000",
             "send-from packet-info 2001:db8:1::77 2001:db8:1::1 7000",
             "send-from transparent 2001:db8:1::77 2001:db8:1::1 7000", "open-socket raw6",
             "send-from plain 2001:db8:1::20 2001:db8:1::1 7000"},
            allowing_only(engine, {"2001:db8:1::/64"})) ==
        "send-from plain 2001:db8:1::77 2001:db8:1::1 7000: EADDRNOTAVAIL\n"
        "send-from freebind 2001:db8:1::77 2001:db8:1::1 7000: EPERM\n"
        "send-from packet-info 2001:db8:1::77 2001:db8:1::1 7000: EPERM\n"
        "send-from transparent 2001:db8:1::77 2001:db8:1::1 7000: EPERM\nopen-socket raw6: EPERM\n"
        "send-from plain 2001:db8:1::20 2001:db8:1::1 7000: ok\n");
  for (const char* how : {"freebind", "packet-info", "transparent"}) {
    INFO(how << " in a room");
    CHECK(
        attempt_in_room(std::string("send-from ") + how + " 2001:db8::77 fd00:ec2::254 53").said ==
        "ok");
  }
  CHECK(attempt_in_room("open-socket raw6").said == "ok");
}

TEST_CASE("the host beside a macvlan is out of reach, even where it is allowed", "[egress]") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const Engine engine = each_present_engine();
  EscapeBench bench(engine, std::nullopt, ScriptBench::Egress::tried, network.macvlan());
  const std::string seen =
      bench.attempt_together({"connect-tcp 198.51.100.10 7000", "ask-udp 198.51.100.10 7000",
                              "connect-tcp 2001:db8:1::10 7000", "connect-tcp 198.51.100.1 7000",
                              "connect-tcp 2001:db8:1::1 7000"},
                             allowing_only(engine, {"198.51.100.0/24", "2001:db8:1::/64"}));
  CHECK(without_the_last_word(seen) ==
        "connect-tcp 198.51.100.10 7000: ETIMEDOUT\nask-udp 198.51.100.10 7000: ETIMEDOUT\n"
        "connect-tcp 2001:db8:1::10 7000: ETIMEDOUT\nconnect-tcp 198.51.100.1 7000: ok\n"
        "connect-tcp 2001:db8:1::1 7000: ok\n");
  // The host itself and whoever is on the link reach that server.
  for (const char* words : {"connect-tcp 198.51.100.10 7000", "ask-udp 198.51.100.10 7000",
                            "connect-tcp 2001:db8:1::10 7000"}) {
    INFO(words);
    CHECK(attempt_plainly(words).said == "ok");
    network.in_world([&] { CHECK(attempt_plainly(words).said == "ok"); });
  }
}

// slirp4netns asks for a script from the host's own network, so the host's own address is one like
// any other there: out of reach unless the policy allows it.
TEST_CASE("behind slirp4netns the host's own address needs an entry like any other", "[egress]") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const Way way = GENERATE(from_range(every_slirp4netns()));
  const Engine engine = each_present_engine();
  INFO(name_of(way) << ", " << sandbox::name_of(engine));
  const std::vector<std::string> attempts{"connect-tcp 198.51.100.10 7000",
                                          "ask-udp 198.51.100.10 7000"};
  CHECK(by(way,
           [&] {
             EscapeBench bench(engine, std::nullopt, ScriptBench::Egress::tried);
             return bench.attempt_together(attempts, allowing_only(engine, {TestNetwork::router})) +
                    bench.attempt_together(attempts, allowing_only(engine, {TestNetwork::host}));
           }) ==
        "connect-tcp 198.51.100.10 7000: ETIMEDOUT\nask-udp 198.51.100.10 7000: EPERM\n"
        "connect-tcp 198.51.100.10 7000: ok\nask-udp 198.51.100.10 7000: ok\n");
}

TEST_CASE("runs of two satellites on one link do not reach each other", "[egress]") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const Engine engine = each_present_engine();
  EscapeBench serving(engine, std::nullopt, ScriptBench::Egress::tried, network.macvlan(20));
  EscapeBench visiting(engine, std::nullopt, ScriptBench::Egress::tried, network.macvlan(21));
  const Policy policy = allowing_only(engine, {"198.51.100.0/24"});
  std::string seen;
  Listener listener;
  listener.on_output = [&](const std::string& text) {
    if (text == "LISTENING\n") {
      seen = visiting.attempt_together(
          {"connect-tcp 198.51.100.20 7000", "connect-tcp 198.51.100.1 7000"}, policy);
      // Whoever is on the link and no run does.
      network.in_world([&] { seen += attempt_plainly("connect-tcp 198.51.100.20 7000").said; });
    } else {
      serving.cancel->cancel();
    }
  };
  const Ran ran = serving.run(serving.request("serve-tcp 7000"), policy, listener);
  CHECK(without_the_last_word(seen) ==
        "connect-tcp 198.51.100.20 7000: ETIMEDOUT\nconnect-tcp 198.51.100.1 7000: ok\nok");
  CHECK(ran.standard_output == "LISTENING\nVISITOR 198.51.100.1\n");
}

TEST_CASE("a run behind slirp4netns finds only itself at the address that all have", "[egress]") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const Way way = GENERATE(from_range(every_slirp4netns()));
  const Engine engine = each_present_engine();
  INFO(name_of(way) << ", " << sandbox::name_of(engine));
  const std::string serves =
      "$probe serve-tcp 7000 | { read listening; $probe connect-tcp 10.0.2.100 7000\n"
      "read visitor; echo $visitor; cat; }";
  CHECK(by(way,
           [&] {
             EscapeBench serving(engine, std::nullopt, ScriptBench::Egress::tried);
             EscapeBench visiting(engine, std::nullopt, ScriptBench::Egress::tried);
             const Policy policy = allowing_only(engine, {"10.0.2.0/24", TestNetwork::router});
             std::string seen;
             Listener listener;
             listener.on_output = [&](const std::string& text) {
               if (text.find("VISITOR") == std::string::npos) return;
               seen = visiting.attempt_together(
                   {"connect-tcp 10.0.2.100 7000", "connect-tcp 198.51.100.1 7000"}, policy);
               serving.cancel->cancel();
             };
             const Ran ran = serving.run(serving.request_running(serves), policy, listener);
             return seen + ran.standard_output;
           }) ==
        "connect-tcp 10.0.2.100 7000: ECONNREFUSED\nconnect-tcp 198.51.100.1 7000: ok\n"
        "RESULT connect-tcp ok \nVISITOR 10.0.2.100\n");
}
