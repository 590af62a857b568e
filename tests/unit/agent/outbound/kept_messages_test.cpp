#include "agent/outbound/kept_messages.hpp"

#include "agent/outbound/result_id.hpp"
#include "protocol/encode.hpp"
#include "tests/unit/agent/storage/store_fixture.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
using nlohmann::json;

namespace {

using Urgency = DeliveryQueue::Urgency;
using Texts = std::vector<std::string>;

/// Kept messages in front of a real database.
class KeptBench : public StoreBench {
 public:
  explicit KeptBench(KeptMessages::Settings settings = {}) : settings_(settings) {}

  void start() {
    kept.reset();
    make();
    kept = std::make_unique<KeptMessages>(context, *store, settings_, changed_);
    store->open();
    until([this] { return store->settled(); });
  }
  void stop() {
    close();
    kept.reset();
  }
  void written() {
    bool done = false;
    store->flush([&done] { done = true; });
    until([&done] { return done; });
  }
  /// Returns when everything that was kept in memory is on the disk.
  void heal_disk() {
    FaultyDisk::heal();
    until([this] { return store->fault() == StoreFault::none; });
    until([this] { return kept->queue().all_stored(); });
    written();
  }
  /// What goes out until `count` frames did.
  Texts send(std::size_t count) {
    Texts frames;
    until([&] {
      for (const Urgency urgency : {Urgency::control, Urgency::live, Urgency::replay}) {
        if (frames.size() == count) break;
        const auto outgoing = kept->next(urgency);
        if (!outgoing) continue;
        kept->sent(outgoing->seq);
        frames.push_back(outgoing->frame);
        break;
      }
      return frames.size() == count;
    });
    return frames;
  }
  bool has_more() {
    // Reading from the disk takes a turn.
    for (int i = 0; i < 50; ++i) {
      for (const Urgency urgency : {Urgency::control, Urgency::live, Urgency::replay}) {
        const auto outgoing = kept->next(urgency);
        if (outgoing) return true;
      }
      context.restart();
      context.run_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  void confirm() {
    kept->barrier_sent(++number_);
    kept->barrier_passed(number_);
  }
  void result(const std::string& name) {
    kept->push(R"({"type":"result","configId":")" + name + "\"}", Lane::results);
  }

  std::unique_ptr<KeptMessages> kept;

 private:
  KeptMessages::Settings settings_;
  Notification changed_{context};
  std::uint64_t number_ = 0;
};

std::string result_frame(const std::string& name) {
  return R"({"type":"result","configId":")" + name + "\"}";
}

}  // namespace

TEST_CASE("results survive the end of the process, oldest first, until the core has read them") {
  KeptBench bench;
  bench.start();
  for (const char* name : {"a", "b", "c"}) bench.result(name);
  bench.written();
  bench.stop();
  bench.start();
  CHECK(bench.kept->queue().size() == 3);
  bench.kept->connection_up(false);
  CHECK(bench.send(2) == Texts{result_frame("a"), result_frame("b")});
  bench.confirm();
  CHECK(bench.send(1) == Texts{result_frame("c")});
  // Sent and not confirmed: once more after the next start.
  bench.written();
  bench.stop();
  bench.start();
  bench.kept->connection_up(false);
  CHECK(bench.send(1) == Texts{result_frame("c")});
  bench.confirm();
  CHECK_FALSE(bench.has_more());
  bench.written();
  bench.stop();
  bench.start();
  CHECK(bench.kept->queue().size() == 0);
}

TEST_CASE("more than memory should hold goes by the disk and comes back in order") {
  KeptBench bench;
  bench.start();
  constexpr int count = 600;
  Texts expected;
  for (int i = 0; i < count; ++i) {
    const std::string name = std::to_string(i) + std::string(10'000, 'x');
    bench.result(name);
    expected.push_back(result_frame(name));
  }
  bench.written();
  bench.kept->connection_up(false);
  Texts all;
  while (all.size() < count) {
    for (std::string& frame : bench.send(100)) all.push_back(std::move(frame));
    bench.confirm();
  }
  CHECK(all == expected);
}

TEST_CASE(
    "an acknowledging core sees one id for a result on every connection and after a restart") {
  KeptBench bench;
  bench.start();
  bench.result("a");
  bench.result("a");
  bench.kept->connection_up(true);
  const auto first = bench.send(2);
  const std::string id = json::parse(first[0]).at("resultId");
  const std::string other = json::parse(first[1]).at("resultId");
  CHECK(id != other);
  CHECK(json::parse(first[0]).at("configId") == "a");
  bench.kept->connection_lost();
  bench.kept->connection_up(true);
  CHECK(bench.send(2) == first);
  bench.written();
  bench.stop();
  bench.start();
  bench.kept->connection_up(true);
  CHECK(bench.send(2) == first);
  bench.kept->acknowledge({"nonsense", other, std::string(33, '0'), other});
  CHECK(bench.kept->queue().size() == 1);
  // A core that does not acknowledge sees no id.
  bench.kept->connection_lost();
  bench.kept->connection_up(false);
  CHECK(bench.send(1) == Texts{result_frame("a")});
}

TEST_CASE("while the disk fails messages are kept in memory, and on disk when it works again") {
  KeptBench bench;
  bench.start();
  bench.result("before");
  bench.written();
  FaultyDisk::fault = GENERATE(FaultyDisk::Fault::full, FaultyDisk::Fault::io);
  bench.result("meanwhile");
  bench.until([&bench] { return bench.store->fault() != StoreFault::none; });
  bench.result("also meanwhile");
  bench.heal_disk();
  bench.stop();
  bench.start();
  bench.kept->connection_up(false);
  CHECK(bench.send(3) ==
        Texts{result_frame("before"), result_frame("meanwhile"), result_frame("also meanwhile")});
}

TEST_CASE("what the core confirmed while the disk failed does not come back") {
  KeptBench bench;
  bench.start();
  bench.result("a");
  bench.result("b");
  bench.written();
  bench.kept->connection_up(false);
  CHECK(bench.send(2).size() == 2);
  FaultyDisk::fault = GENERATE(FaultyDisk::Fault::full, FaultyDisk::Fault::io);
  bench.result("c");
  bench.until([&bench] { return bench.store->fault() != StoreFault::none; });
  bench.confirm();
  bench.heal_disk();
  bench.stop();
  bench.start();
  bench.kept->connection_up(false);
  CHECK(bench.send(1) == Texts{result_frame("c")});
  CHECK_FALSE(bench.has_more());
}

TEST_CASE("where nothing may be sent twice, it is off the disk before it is sent") {
  KeptMessages::Settings settings;
  settings.guarantee = DeliveryQueue::Guarantee::at_most_once;
  KeptBench bench(settings);
  bench.start();
  bench.result("a");
  bench.result("b");
  bench.written();
  bench.kept->connection_up(false);
  CHECK(bench.send(1) == Texts{result_frame("a")});
  // The process dies before anything else is written.
  bench.stop();
  bench.start();
  bench.kept->connection_up(false);
  for (int i = 0; i < 20; ++i) {
    const auto again = bench.kept->next(Urgency::replay);
    if (again) CHECK(again->frame != result_frame("a"));
    bench.context.restart();
    bench.context.run_for(std::chrono::milliseconds(1));
  }
}

TEST_CASE("one marker tells of all that was given up, also after a restart") {
  KeptMessages::Settings settings;
  settings.bounds.count_max = 3;
  KeptBench bench(settings);
  bench.start();
  for (int i = 0; i < 10; ++i) bench.result(std::to_string(i));
  bench.written();
  CHECK(bench.kept->dropped() == 7);
  bench.stop();
  bench.start();
  bench.result("10");
  bench.kept->connection_up(false);
  const auto frames = bench.send(4);
  const json marker = json::parse(frames[0]);
  CHECK(marker.at("type") == "strategy_error");
  CHECK(marker.at("message").get<std::string>().starts_with("8 messages from "));
  CHECK(frames[1] == result_frame("8"));
  bench.confirm();
  bench.written();
  bench.stop();
  bench.start();
  bench.kept->connection_up(false);
  CHECK_FALSE(bench.has_more());
}

TEST_CASE("the encoder begins a result as the id expects it") {
  protocol::CheckResult result;
  result.config_id = ConfigId("c");
  const std::string frame = protocol::encode(result);
  const json with_id = json::parse(with_result_id(frame, 0x1234));
  const std::string id = with_id.at("resultId");
  CHECK(seq_of_result_id(id) == 0x1234U);
  json without = with_id;
  without.erase("resultId");
  CHECK(without == json::parse(frame));
  CHECK(with_result_id(R"({"type":"heartbeat"})", 1) == R"({"type":"heartbeat"})");
  for (const char* wrong :
       {"", "1", "0000000000001234", "000000000000123g-0000000000000000",
        "0000000000001234-000000000000000", "-000000000001234-0000000000000000"}) {
    INFO(wrong);
    CHECK_FALSE(seq_of_result_id(wrong));
  }
}
