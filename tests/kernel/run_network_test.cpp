#include "sandbox/launcher/network/run_network.hpp"

#include "tests/support/native_orders.hpp"
#include "tests/support/ways_out.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

// The network of a run that is cancelled while it is being made.

namespace {

struct Made {
  explicit Made(const LaunchOrder& order) {
    auto begun = RunNetwork::begin(order, {is_root(), std::nullopt});
    network = *std::move(begun);
  }
  /// Until the answer of the builder, or that of the uplink, lies there.
  void wait() const {
    pollfd answer{network->watched_fd(), POLLIN, 0};
    if (::poll(&answer, 1, 10'000) != 1) throw std::runtime_error("no answer");
  }
  void reap(pid_t process) const {
    ::waitpid(process, nullptr, 0);
    network->on_exit(process);
  }
  std::string left() const {
    return "watches " + std::to_string(network->watched_fd()) + ", processes " +
           std::to_string(network->processes().size()) + (network->is_over() ? ", over" : "") +
           (network->has_namespace() ? ", open" : "") + (network->is_ready() ? ", ready" : "") +
           (network->deadline() ? ", waiting" : "") +
           (network->lost_uplink() ? ", lost its uplink" : "");
  }

  std::unique_ptr<RunNetwork> network;
};

std::string cancelled(const LaunchOrder& order, bool read_late) {
  const Made made(order);
  const pid_t builder = made.network->processes().at(0);
  made.wait();
  made.network->end();
  if (read_late) made.network->on_readable();
  made.reap(builder);
  return made.left() + "\n";
}

/// The same up to the answer, which is taken: its uplink starts, comes up, and ends.
std::string not_cancelled(const LaunchOrder& order, bool until_ready) {
  const Made made(order);
  const pid_t builder = made.network->processes().at(0);
  made.wait();
  made.network->on_readable();
  made.network->raise();
  made.reap(builder);
  const auto uplink = made.network->processes();
  if (uplink.size() != 1) return "no uplink";
  if (until_ready) {
    made.wait();
    made.network->on_readable();
  }
  std::string text = until_ready == made.network->is_ready() ? "" : "not as it should be, ";
  made.network->end();
  if (until_ready) made.network->on_readable();
  made.reap(uplink.front());
  return text + made.left() + "\n";
}

}  // namespace

TEST_CASE("an answer that arrives after the end of a run's network starts nothing") {
  if (!network_can_be_made()) return;
  const TestNetwork network;
  const Way way = GENERATE(from_range(every_slirp4netns()));
  INFO(name_of(way));
  constexpr const char* nothing = "watches -1, processes 0, over\n";
  CHECK(by(way, [&] {
          const NativeOrders bench(ScriptBench::Egress::tried);
          Policy policy = shipped_default_policy();
          policy.network.mode = NetworkMode::allowlist;
          policy.network.allow = {TestNetwork::router};
          const LaunchOrder order = bench.order(policy);
          return cancelled(order, false) + cancelled(order, true) + not_cancelled(order, false) +
                 not_cancelled(order, true);
        }) == std::string(nothing) + nothing + nothing + nothing);
}
