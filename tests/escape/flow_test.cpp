// E37 and E40 of the list: connections that outlive what let them out.
#include "tests/escape/escape_bench.hpp"
#include "tests/escape/flow_peer.hpp"
#include "tests/support/ways_out.hpp"

#include <signal.h>
#include <catch2/catch.hpp>
#include <sstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

std::string yes_or_no(bool answer) {
  return answer ? "yes\n" : "no\n";
}

/// The answers of a script's attempts, by their verbs.
std::string answers_of(const Ran& ran) {
  std::istringstream lines(ran.standard_output);
  std::string text, kind, verb, said;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    if (words >> kind >> verb >> said && kind == "RESULT") text += verb + " " + said + "\n";
  }
  return text + std::string(sandbox::name_of(ran.result.outcome)) + "\n";
}

int kill_slirp4netns_of(pid_t launcher) {
  const std::string parent = "PPid:\t" + std::to_string(launcher) + "\n";
  int killed = 0;
  for (const pid_t pid : processes_with("slirp4netns")) {
    if (read_proc(pid, "status").find(parent) == std::string::npos) continue;
    if (::kill(pid, SIGKILL) == 0) ++killed;
  }
  return killed;
}

/// The whole life of a run that loses its uplink, as both ends saw it.
std::string story_of_a_lost_uplink(Engine engine, FlowPeer& peer) {
  EscapeBench bench(engine, std::nullopt, ScriptBench::Egress::tried);
  std::string story;
  Listener listener;
  listener.on_output = [&](const std::string& text) {
    if (text != "OPEN\n") return;
    story += "open " + yes_or_no(peer.accept() && peer.is_answered("before"));
    story += "killed " + std::to_string(kill_slirp4netns_of(bench.launcher->pid())) + "\n";
    story += "over " + yes_or_no(peer.ends());
  };
  const Ran ran = bench.run(
      bench.request_running("$probe keep-flow 198.51.100.1 7001; $probe count-interfaces\n"
                            "$probe connect-tcp 198.51.100.1 7000\n"
                            "$probe send-udp 198.51.100.1 7000; exit 3"),
      allowing_only(engine, {TestNetwork::router}), listener);
  story += answers_of(ran);
  for (const auto& note : ran.result.sandbox.notes) {
    if (note.note.find("(slirp4netns)") != std::string::npos) {
      story += note.note.substr(0, note.note.find(')') + 6) + "\n";
    }
  }
  return story;
}

/// Two runs of one launcher: the second has a policy from which the first one's peer is gone.
struct Revocation {
  Revocation(EscapeBench& own_bench, FlowPeer& own_peer, bool takes_turns)
      : bench(own_bench), peer(own_peer), second_waits(takes_turns) {}

  std::string story() {
    first.on_output = [this](const std::string& text) {
      if (text == "OPEN\n") on_open();
    };
    begin("exec $probe keep-flow 198.51.100.2 7001", TestNetwork::neighbour, first, *bench.cancel,
          [this](const Ran& ran) {
            first_end = answers_of(ran) + "over " + yes_or_no(peer.ends());
            stop_after_both();
          });
    bench.context.restart();
    bench.context.run();
    return flow + second_end + first_end;
  }

 private:
  void begin(const std::string& text, const char* allowed, Listener& listener,
             CancelSwitch& its_cancel, std::function<void(Ran)> ended) {
    bench.begin(bench.request_running(text), allowing_only(bench.engine, {allowed}), listener,
                its_cancel, std::move(ended));
  }

  void on_open() {
    flow += "open " + yes_or_no(peer.accept() && peer.is_answered("before"));
    begin(
        "$probe connect-tcp 198.51.100.2 7001; $probe ask-udp 198.51.100.2 7000\n"
        "$probe connect-tcp 198.51.100.1 7000",
        TestNetwork::router, second, second_cancel, [this](const Ran& ran) {
          second_end = answers_of(ran) + "visited " + yes_or_no(peer.has_visitor());
          if (!second_waits) end_first();
          stop_after_both();
        });
    if (second_waits) end_first();
  }

  void end_first() {
    flow += "still open " + yes_or_no(peer.is_answered("after"));
    bench.cancel->cancel();
  }

  void stop_after_both() {
    if (!first_end.empty() && !second_end.empty()) bench.context.stop();
  }

  EscapeBench& bench;
  FlowPeer& peer;
  const bool second_waits;
  Listener first, second;
  CancelSwitch second_cancel{bench.context};
  std::string flow, first_end, second_end;
};

}  // namespace

TEST_CASE("a helper that is killed takes the way out with it, and the run is marked", "[egress]") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  FlowPeer peer(network);
  const Way way = GENERATE(from_range(every_slirp4netns()));
  const Engine engine = each_present_engine();
  INFO(name_of(way) << ", " << sandbox::name_of(engine));
  CHECK(by(way, [&] { return story_of_a_lost_uplink(engine, peer); }) ==
        "open yes\nkilled 1\nover yes\n"
        "keep-flow ENODEV\ncount-interfaces ENODEV\nconnect-tcp ENETUNREACH\n"
        "send-udp ENETUNREACH\nexited\n"
        "the program behind the run's uplink (slirp4netns) died\n");
}

// A policy is a run's own from its start to its end: what the core takes back meanwhile counts from
// the next run on, and a run that must not go on is ended, which ends its connections.
TEST_CASE("a run keeps the way out it was started with, and the next one has its own", "[egress]") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  FlowPeer peer(network);
  const Way way = GENERATE(from_range(every_way()));
  const Engine engine = each_present_engine();
  INFO(name_of(way) << ", " << sandbox::name_of(engine));
  CHECK(by(way,
           [&] {
             EscapeBench bench(engine, std::nullopt, ScriptBench::Egress::tried,
                               macvlan_for(way, network));
             // One macvlan address serves one run at a time.
             return Revocation(bench, peer, way == Way::macvlan_of_root).story();
           }) ==
        "open yes\nstill open yes\n"
        "connect-tcp ETIMEDOUT\nask-udp EPERM\nconnect-tcp ok\nexited\nvisited no\n"
        "cancelled\nover yes\n");
}
