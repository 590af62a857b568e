#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/test_network.hpp"
#include "tests/support/ways_out.hpp"

#include <signal.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

// Prepared runs with a way out: filter and uplink stand before there is a script.

namespace {

struct PreparedWithUplink : ScriptBench {
  explicit PreparedWithUplink(std::optional<MacvlanSettings> macvlan = std::nullopt)
      : ScriptBench(Engine::native, Egress::tried, std::move(macvlan)) {
    policy.resources.max_processes = 1'024;
    policy.network.mode = NetworkMode::allowlist;
    policy.network.allow = {TestNetwork::router};
    keep_prepared(2);
    run(script("true"), policy);
  }
  /// The run's own words, whether it was prepared, and what the report says of its network.
  std::string answer(const Policy& wanted) {
    // What may be reached has time to answer, whatever else this machine does.
    const auto patience_for = [&wanted](const std::string& address) {
      const auto& allow = wanted.network.allow;
      return std::find(allow.begin(), allow.end(), address) != allow.end() ? " 8\n" : " 1\n";
    };
    const Ran ran = run(script(connecting_functions() +  //
                               "tcp router 198.51.100.1" + patience_for(TestNetwork::router) +
                               "tcp neighbour 198.51.100.2" + patience_for(TestNetwork::neighbour) +
                               "tcp metadata 169.254.169.254 1\n"),
                        wanted);
    std::string text = ran.standard_output;
    text += ran.result.was_prepared ? "prepared" : "made at once";
    const auto& network = ran.result.sandbox.layers.at(static_cast<std::size_t>(Layer::network));
    text += ", network " + std::string(name_of(network.state));
    for (const auto& note : ran.result.sandbox.notes) {
      if (note.note.find("died") != std::string::npos) text += ", uplink died";
    }
    return text + "\n";
  }
  std::vector<pid_t> uplinks() const {
    std::istringstream text(
        read_proc(launcher->pid(), "task/" + std::to_string(launcher->pid()) + "/children"));
    std::vector<pid_t> found;
    for (pid_t pid = 0; text >> pid;) {
      if (read_proc(pid, "comm") == "slirp4netns\n") found.push_back(pid);
    }
    return found;
  }

  Policy policy = shipped_default_policy();
};

std::string as_either(bool privileged, const std::function<std::string()>& body) {
  return privileged ? body() : as_uid_65532(body);
}

}  // namespace

TEST_CASE("a prepared run reaches what its policy allows and nothing else") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const std::string said = as_either(GENERATE(true, false), [] {
    PreparedWithUplink bench;
    if (!bench.wait_until_prepared(1)) return std::string("none stands ready");
    return bench.answer(bench.policy);
  });
  CHECK(said == "router yes\nneighbour no\nmetadata no\nprepared, network enforced\n");
}

TEST_CASE("a way out that stands ready is never one of another policy") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const std::string said = as_either(GENERATE(true, false), [] {
    PreparedWithUplink bench;
    if (!bench.wait_until_prepared(1)) return std::string("none stands ready");
    Policy other = bench.policy;
    other.network.allow = {TestNetwork::neighbour};
    const std::string first = bench.answer(other);
    std::string next = first;
    // The one that stands may still be of the first policy, which is given up for this one.
    for (int attempt = 0; next == first && attempt < 10; ++attempt) {
      if (!bench.wait_until_prepared(1)) return std::string("none stands ready for the other");
      next = bench.answer(other);
    }
    return first + next;
  });
  CHECK(said ==
        "router no\nneighbour yes\nmetadata no\nmade at once, network enforced\n"
        "router no\nneighbour yes\nmetadata no\nprepared, network enforced\n");
}

TEST_CASE("a prepared run whose uplink died is replaced by one that has its way out") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const std::string said = as_either(GENERATE(true, false), [] {
    PreparedWithUplink bench;
    if (!bench.wait_until_prepared(1)) return std::string("none stands ready");
    const auto uplinks = bench.uplinks();
    for (const pid_t pid : uplinks) ::kill(pid, SIGKILL);
    if (uplinks.empty()) return std::string("no uplink was found");
    if (!eventually([&] { return bench.uplinks().empty(); })) return std::string("it lives");
    return bench.answer(bench.policy);
  });
  CHECK(said == "router yes\nneighbour no\nmetadata no\nmade at once, network enforced\n");
}

TEST_CASE("nothing is prepared on a macvlan address, which serves one run at a time") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  PreparedWithUplink bench(network.macvlan());
  bench.context.restart();
  bench.context.run_for(std::chrono::milliseconds(50));
  CHECK(bench.answer(bench.policy) ==
        "router yes\nneighbour no\nmetadata no\nmade at once, network enforced\n");
}
