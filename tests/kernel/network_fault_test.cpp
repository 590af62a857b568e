#include "tests/support/failing_calls.hpp"
#include "tests/support/native_orders.hpp"
#include "tests/support/ways_out.hpp"

#include <catch2/catch.hpp>
#include <cerrno>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

// E38 of the list of attempts: what cannot be filtered gets no way out and no script.

namespace {

Policy allowing_the_router() {
  Policy policy = shipped_default_policy();
  policy.network.mode = NetworkMode::allowlist;
  policy.network.allow = {TestNetwork::router};
  return policy;
}

Way each_way() {
  return GENERATE(from_range(every_way()));
}

std::vector<SetupStep> steps_of(Way way) {
  using enum SetupStep;
  std::vector<SetupStep> steps{network_namespace, network_ipv6, network_loopback, network_filter,
                               network_filter_check};
  if (way == Way::macvlan_of_root) {
    steps.insert(steps.end(), {network_uplink, network_address, network_route});
  } else {
    steps.push_back(network_slirp4netns);
  }
  return steps;
}

/// How the order ended, what the script said, and whether a process of its network is left.
std::string ending(NativeOrders& bench, const LaunchOrder& order) {
  const auto end = bench.perform(order);
  std::string text = "something else";
  if (std::holds_alternative<RunEnded>(end.record.event)) text = "ended";
  if (const auto* failure = std::get_if<RunSetupFailed>(&end.record.event)) {
    text = std::string(name_of(failure->step)) + " failed";
  }
  const bool nothing_left = eventually([&] { return count_children(bench.launcher->pid()) == 0; });
  return text + ", said '" + end.output + "', " +
         (nothing_left ? "nothing left" : "a process left");
}

constexpr const char* as_it_should_be = "ended, said 'ran\n', nothing left";

}  // namespace

TEST_CASE("each step of a run's network that fails is named, and the script never runs") {
  if (!network_can_be_made() || !faults_can_be_injected()) return;
  const TestNetwork network;
  const Way way = each_way();
  INFO(name_of(way));
  std::string expected;
  for (const SetupStep step : steps_of(way)) {
    expected += std::string(name_of(step)) + " failed, said '', nothing left\n";
  }
  CHECK(by(way, [&] {
          NativeOrders bench(ScriptBench::Egress::tried, macvlan_for(way, network));
          std::string seen;
          for (const SetupStep step : steps_of(way)) {
            LaunchOrder order = bench.order(allowing_the_router());
            order.fault = {step, -1, EIO};
            seen += ending(bench, order) + "\n";
          }
          // The address of a macvlan is free again only when nothing of the failures is left.
          return seen + ending(bench, bench.order(allowing_the_router()));
        }) == expected + as_it_should_be);
}

TEST_CASE("no order can leave the packet filter out and have that called done") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const Way way = each_way();
  INFO(name_of(way));
  CHECK(by(way, [&] {
          NativeOrders bench(ScriptBench::Egress::tried, macvlan_for(way, network));
          LaunchOrder order = bench.order(allowing_the_router());
          order.fault = {SetupStep::network_filter, -1, 0};
          return ending(bench, order) + "\n" + ending(bench, bench.order(allowing_the_router()));
        }) == std::string("decode_order failed, said '', nothing left\n") + as_it_should_be);
}

TEST_CASE("a run whose host lost its packet filter is not started, and says what to do") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const Way way = each_way();
  INFO(name_of(way));
  const Engine engine = GENERATE(from_range(with_nsjail({Engine::native, Engine::bwrap})));
  const auto run = [&](bool filter_is_there) {
    return by(way, [&] {
      if (!filter_is_there) fail_packet_filter_sockets(EPROTONOSUPPORT);
      ScriptBench bench(engine, ScriptBench::Egress::tried, macvlan_for(way, network));
      const Ran refused = bench.run(script("echo ran"), allowing_the_router());
      std::string seen = std::string(name_of(refused.result.outcome)) + "\n";
      // What was found out at the start need not be true any more when a run begins.
      bench.facts.net_egress_rootless = true;
      if (way == Way::macvlan_of_root) {
        bench.facts.net_egress_iface = network.macvlan().interface;
        bench.facts.net_egress_addressing = network.macvlan().text;
      }
      const Ran ran = bench.run(script("echo ran"), allowing_the_router());
      seen += std::string(name_of(ran.result.outcome)) + " '" + ran.standard_output + "'";
      const std::string error = ran.result.error.value_or("");
      if (error.find("network_filter") != std::string::npos) seen += " network_filter";
      if (error.find("modprobe nf_tables") != std::string::npos) seen += " with a remedy";
      return seen;
    });
  };
  CHECK(run(false) == "refused\nsetup_failed '' network_filter with a remedy");
  CHECK(run(true) == "exited\nexited 'ran\n'");
}
