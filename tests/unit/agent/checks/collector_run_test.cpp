#include "agent/checks/collector_run.hpp"

#include "sandbox/launcher/client/launcher_link.hpp"
#include "tests/unit/agent/outbound/memory_outbox.hpp"
#include "tests/unit/agent/storage/store_fixture.hpp"

#include <fcntl.h>
#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <filesystem>

using namespace satellite;
using namespace satellite::agent;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

/// All that a collector's script needs, with one slot and states on a disk.
class CollectorBench : public StoreBench {
 public:
  CollectorBench() : launcher_(*sandbox::Launcher::start()) {
    launcher_->attach(context, [] {});
    store->open();
    until([this] { return store->settled(); });
    states.open();
    settle();
  }
  void settle() {
    bool done = false;
    store->flush([&done] { done = true; });
    until([&done] { return done; });
  }
  template <typename T>
  T value_of(boost::asio::awaitable<T> task) {
    std::optional<T> value;
    boost::asio::co_spawn(context, std::move(task), [&value](std::exception_ptr failure, T made) {
      if (!failure) value.emplace(std::move(made));
    });
    until([&value] { return value.has_value(); });
    return *std::move(value);
  }
  /// The files in memory that hold states.
  static int files_in_memory() {
    int count = 0;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      std::error_code gone;  // the listing's own
      const auto target = fs::read_symlink(entry.path(), gone).string();
      if (target.find("memfd:") != std::string::npos && target.find("state") != std::string::npos) {
        ++count;
      }
    }
    return count;
  }

 private:
  std::unique_ptr<sandbox::Launcher> launcher_;
  sandbox::Runner runner_{context, *launcher_, sandbox::RunnerSettings{}};
  UniqueFd nowhere_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  Log log_{LogLevel::error, nowhere_.get()};
  Config config_;
  sandbox::PolicyProvider policies_;
  Store memory_{context, memory_only()};
  Outbox outbox_{context, memory_, {}};
  SecretFetch secrets_{context, outbox_};
  ScriptPackages packages_{context, log_, {}, [](const auto&) {}};
  RunStatistics statistics_;

 public:
  ScriptSlots slots{context, 1};
  CheckStates states{context,
                     log_,
                     store_of_states(),
                     {(directory() / "check-state").string(), {}},
                     ByteCount{1U << 20U}};
  CheckServices services() {
    return {{context, log_, config_, runner_, policies_, outbox_, packages_, memory_, statistics_,
             states},
            secrets_,
            slots};
  }

 private:
  Store& store_of_states() { return make(); }
};

}  // namespace

TEST_CASE("a script that waits for a slot holds no file for its state") {
  CollectorBench bench;
  CheckControl control(bench.context);
  bool has_ended = false;
  {
    const auto slot = bench.value_of(bench.slots.take(control.cancel));
    REQUIRE(slot);
    boost::asio::co_spawn(
        bench.context,
        run_collector_script(bench.services(), sandbox::RunRequest{}, control, {"check", "c"}),
        [&has_ended](std::exception_ptr, CollectorRun) { has_ended = true; });
    for (int i = 0; i < 20; ++i) bench.settle();
    CHECK(CollectorBench::files_in_memory() == 0);
    CHECK_FALSE(has_ended);
    {
      const auto loan = bench.value_of(bench.states.take({"check", "other"}));
      CHECK(CollectorBench::files_in_memory() == 1);  // positive control
    }
    control.cancel.cancel();
    bench.until([&has_ended] { return has_ended; });
  }
  CHECK(CollectorBench::files_in_memory() == 0);
}
