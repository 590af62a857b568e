#include "agent/schedule/scheduler.hpp"
#include "tests/unit/agent/outbound/memory_outbox.hpp"

#include "agent/intake/relayed_policy.hpp"
#include "protocol/decode.hpp"
#include "sandbox/launcher/client/launcher_link.hpp"

#include <fcntl.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

using namespace satellite;
using namespace satellite::agent;
using nlohmann::json;

namespace {

const std::string real_result = "run-1";

/// Sets of nothing but assignments of a shape that this version does not know.
json set_of_rejected(int count) {
  json set = json::array();
  for (int i = 0; i < count; ++i) {
    set.push_back({{"configId", "cfg-" + std::to_string(i)}, {"systemId", "sys"}});
  }
  return set;
}

protocol::AssignmentSet decoded(const json& set) {
  const json frame{{"type", "config_updated"}, {"assignments", set}};
  auto message = protocol::decode(frame.dump());
  REQUIRE(message);
  auto assignments = std::get<protocol::ConfigUpdated>(*std::move(message)).assignments;
  REQUIRE(assignments.accepted.empty());
  return assignments;
}

/// A scheduler with everything it needs, and a core that takes what it is given.
class Bench {
 public:
  Bench() : launcher_(*sandbox::Launcher::start()) {
    launcher_->attach(context_, [] {});
  }

  Scheduler& scheduler() { return scheduler_; }
  Outbox& outbox() { return outbox_; }

  void run_for(std::chrono::milliseconds time) {
    context_.restart();
    context_.run_for(time);
  }
  void start() { boost::asio::co_spawn(context_, scheduler_.run(), boost::asio::detached); }
  void stop() {
    boost::asio::co_spawn(context_, scheduler_.stop(), boost::asio::detached);
    run_for(std::chrono::milliseconds(100));
  }
  /// The checks, or runs, that the waiting frames name, in order.
  std::vector<std::string> taken() {
    std::vector<std::string> names;
    while (const auto frame = tests::next_delivered(outbox_)) {
      const json message = json::parse(*frame);
      if (message.at("type") == "strategy_error") continue;  // the first few of every set
      names.push_back(message.value("configId", message.value("runId", "")));
    }
    return names;
  }
  /// The same, taken as a connection takes them, until there are so many or the time is up.
  std::vector<std::string> taken(std::size_t count) {
    std::vector<std::string> all;
    for (int i = 0; i < 6'000 && all.size() < count; ++i) {
      run_for(std::chrono::milliseconds(10));
      for (auto& name : taken()) all.push_back(std::move(name));
    }
    return all;
  }

 private:
  boost::asio::io_context context_;
  std::unique_ptr<sandbox::Launcher> launcher_;
  sandbox::Runner runner_{context_, *launcher_, sandbox::RunnerSettings{}};
  UniqueFd nowhere_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Log log_{LogLevel::error, nowhere_.get()};
  Config config_;
  sandbox::PolicyProvider policies_;
  Store store_{context_, tests::memory_only()};
  Outbox outbox_{context_, store_, {}};
  SecretFetch secrets_{context_, outbox_};
  ScriptPackages packages_{context_, log_, {}, [](const auto&) {}};
  RunStatistics statistics_;
  CheckStates states_{context_, log_, store_, {}, {}};
  Scheduler scheduler_{{context_, log_, config_, runner_, policies_, outbox_, packages_, store_,
                        statistics_, states_},
                       secrets_};
};

}  // namespace

TEST_CASE("rejected assignments of any number push nothing out that waits to be said") {
  constexpr std::size_t rejected = 4'500;
  Bench bench;
  bench.outbox().push(protocol::ScriptAccepted{RunId(real_result), 0});
  bench.start();
  bench.scheduler().receive(decoded(set_of_rejected(rejected)));
  bench.run_for(std::chrono::milliseconds(100));
  // The same set once more, while not all of it was told.
  bench.scheduler().receive(decoded(set_of_rejected(rejected)));
  bench.outbox().connection_up({true, false});
  const auto told = bench.taken(rejected + 1);
  REQUIRE(told.size() == rejected + 1);
  CHECK(told.front() == real_result);
  CHECK(std::set<std::string>(told.begin(), told.end()).size() == told.size());
  CHECK(bench.outbox().dropped_messages() == 0);
  bench.stop();
}

TEST_CASE("a rejected assignment is told once, wherever it stands in the set") {
  Bench bench;
  bench.outbox().connection_up({true, false});
  bench.start();
  json set = set_of_rejected(20);
  bench.scheduler().receive(decoded(set));
  CHECK(bench.taken(20).size() == 20);
  const json another{{"configId", "new"}, {"systemId", "sys"}};
  set.insert(set.begin(), another);
  bench.scheduler().receive(decoded(set));
  CHECK(bench.taken(1) == std::vector<std::string>{"new"});
  set.erase(set.begin() + 5);
  set[7]["strategyId"] = "another reason is left";
  bench.scheduler().receive(decoded(set));
  CHECK(bench.taken(1) == std::vector<std::string>{set[7].at("configId")});
  bench.scheduler().receive(decoded(set));
  bench.run_for(std::chrono::milliseconds(50));
  CHECK(bench.taken().empty());
  bench.stop();
}

TEST_CASE("what was dropped of the results of rejected assignments is told with the next set") {
  Bench bench;
  bench.start();
  bench.scheduler().receive(decoded(set_of_rejected(3)));
  bench.run_for(std::chrono::milliseconds(50));
  for (int i = 0; i < 5'000; ++i) {
    bench.outbox().push(protocol::ScriptAccepted{RunId(real_result), 0});
  }
  CHECK(bench.outbox().dropped_messages() > 0);
  bench.outbox().connection_up({true, false});
  const auto left = bench.taken();
  CHECK(std::set<std::string>(left.begin(), left.end()) == std::set<std::string>{real_result});
  bench.scheduler().receive(decoded(set_of_rejected(3)));
  CHECK(bench.taken(3).size() == 3);
  bench.stop();
}

TEST_CASE("reports quote the start of why a policy is not valid, the log all of it") {
  sandbox::PolicyProvider policies;
  const UniqueFd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  Log log(LogLevel::error, nowhere.get());
  const Config config;
  boost::asio::io_context context;
  DegradedStates degraded;
  RelayedPolicy relayed(context, policies, log, config, degraded);
  relayed.refuse({ErrorCode::invalid_input, "surprise " + std::string(8'000, 'x')});
  const auto remarks = policies.resolve().remarks;
  REQUIRE(remarks.size() == 1);
  CHECK(remarks[0].note.find("(surprise xxx") != std::string::npos);
  CHECK(remarks[0].note.find("fail-closed") != std::string::npos);
  CHECK(remarks[0].note.size() < 350);
  relayed.receive("{}");
  CHECK(policies.resolve().remarks.empty());
}
