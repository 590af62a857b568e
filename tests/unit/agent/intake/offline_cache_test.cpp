#include "agent/intake/offline_cache.hpp"

#include "protocol/vocabulary/unique_fd.hpp"
#include "tests/unit/agent/storage/store_fixture.hpp"

#include <fcntl.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <optional>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

const std::string core_url = "wss://core.example/api/ws/satellite";
const std::string set_json =
    R"([{"configId":"c","systemId":"s","strategyId":"p.q","intervalSeconds":5,"config":{},
"collectors":[],"environments":[],"systemMetadata":{}}])";

TokenSource token_source() {
  TokenSource source;
  source.text = Secret("csat_right");
  return source;
}

/// One process after the other, over one directory.
class CacheBench {
 public:
  CacheBench() {
    config.client_id = "satellite-1";
    config.offline_cache = true;
    store_bench.open();
    file = store_bench.directory() / "offline.cache";
  }

  OfflineCache& make() {
    // A process ends with its loop; here the loop goes on, and an answer of the disk may be on its
    // way to the cache of before.
    settle();
    cache.reset();
    cache = std::make_unique<OfflineCache>(store_bench.context, log, config, *store_bench.store,
                                           token, degraded, OfflineCache::Place{file, {core_url}});
    return *cache;
  }
  void say_all() {
    cache->connection_up(core_url);
    cache->note_policy(R"({"enabled":true})");
    cache->note_set(set_json, {true, "abc"});
  }
  /// What an earlier process left; nothing if it left nothing that is used.
  std::optional<OfflineCache::Restored> restored() {
    std::optional<OfflineCache::Restored> came;
    make().open([&came](OfflineCache::Restored one) { came = std::move(one); });
    settle();
    return came;
  }
  /// The thread of the disk does one thing after the other.
  void settle() {
    bool done = false;
    store_bench.store->perform([] {}, [&done] { done = true; });
    store_bench.until([&done] { return done; });
  }
  void until_written() {
    store_bench.until([this] { return std::filesystem::exists(file); });
  }

  StoreBench store_bench;
  UniqueFd nowhere{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Log log{LogLevel::error, nowhere.get()};
  Config config;
  TokenWatch token{token_source(), Secret("csat_right")};
  DegradedStates degraded;
  std::string file;
  std::unique_ptr<OfflineCache> cache;
};

}  // namespace

TEST_CASE("what the core said is there for the next process, with its age") {
  CacheBench bench;
  CHECK_FALSE(bench.restored());
  bench.say_all();
  bench.until_written();
  const auto restored = bench.restored();
  REQUIRE(restored);
  CHECK(restored->policy_json == R"({"enabled":true})");
  REQUIRE(restored->set.assignments.accepted.size() == 1);
  CHECK(restored->set.assignments.accepted[0].config_id.text == "c");
  CHECK(restored->set.script_packages.lockfile_hash == "abc");
  CHECK(restored->age < 60s);
}

TEST_CASE("a policy alone, or checks alone, are not kept, nor what this connection did not say") {
  CacheBench bench;
  bench.make();
  bench.cache->connection_up(core_url);
  bench.cache->note_set(set_json, {});
  bench.cache->connection_lost();
  CHECK_FALSE(bench.restored());
  bench.cache->note_policy(R"({"enabled":true})");
  bench.cache->connection_lost();
  CHECK_FALSE(bench.restored());
}

TEST_CASE("an end of the connection confirms at once, without waiting for a timer") {
  CacheBench bench;
  bench.make();
  bench.say_all();
  bench.cache->connection_lost();
  CHECK(bench.restored());
}

TEST_CASE("a core that does not want this satellite takes its cache away") {
  CacheBench bench;
  bench.make();
  bench.say_all();
  bench.until_written();
  bench.cache->forget();
  CHECK_FALSE(bench.restored());
  CHECK_FALSE(std::filesystem::exists(bench.file));
}

TEST_CASE("a cache that is being written when the core takes it away is gone, too") {
  CacheBench bench;
  bench.make();
  bench.say_all();
  bench.cache->connection_lost();  // begins to write
  bench.cache->forget();
  bool done = false;
  bench.store_bench.store->perform([] {}, [&done] { done = true; });
  bench.store_bench.until([&done] { return done; });
  CHECK_FALSE(std::filesystem::exists(bench.file));
}

TEST_CASE("a cache that cannot be written is a degraded state, and none once it can") {
  CacheBench bench;
  const std::string right = bench.file;
  bench.file = (bench.store_bench.directory() / "nowhere" / "offline.cache").string();
  bench.make();
  bench.say_all();
  bench.cache->connection_lost();
  bench.store_bench.until([&] { return bench.degraded.find("offline_cache") != nullptr; });
  CHECK(bench.degraded.all()[0].name == "offline_cache_unwritable");
  std::filesystem::create_directory(bench.store_bench.directory() / "nowhere");
  bench.say_all();
  bench.cache->connection_lost();
  bench.store_bench.until([&] { return bench.degraded.find("offline_cache") == nullptr; });
  CHECK(std::filesystem::exists(bench.file));
}

TEST_CASE("without the setting nothing is kept, and what was kept before is removed") {
  CacheBench bench;
  bench.make();
  bench.say_all();
  bench.until_written();
  bench.config.offline_cache = false;
  CHECK_FALSE(bench.restored());
  CHECK_FALSE(std::filesystem::exists(bench.file));
  bench.say_all();
  bench.cache->connection_lost();
  CHECK_FALSE(bench.restored());
  CHECK_FALSE(std::filesystem::exists(bench.file));
}
