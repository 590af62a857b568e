#include "protocol/timestamp.hpp"
#include "tests/end_to_end/check_scene.hpp"

#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

// The satellite is killed at random moments while checks run, scripts stream output and the core
// flaps. Judges: the core's own list, and the database as each kill left it. The seed decides
// everything but the scheduling of processes; SATELLITE_KILLS and SATELLITE_SEED change the
// default.
namespace {

std::uint64_t number_from(const char* variable, std::uint64_t fallback) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

/// What the core was told, kept by the core's thread.
class CoreMemory {
 public:
  void take(const protocol::AgentMessage& message) {
    const std::lock_guard lock(mutex_);
    if (const auto* result = std::get_if<protocol::CheckResult>(&message)) {
      results_.insert(result->config_id.text + " " +
                      protocol::format_timestamp(result->executed_at));
    } else if (const auto* accepted = std::get_if<protocol::ScriptAccepted>(&message)) {
      accepted_.insert(accepted->run_id.text);
    } else if (const auto* started = std::get_if<protocol::ScriptStarted>(&message)) {
      // A resend carries the moment of the first time.
      const auto [known, is_new] = started_.emplace(started->run_id.text, started->started_at);
      if (!is_new && known->second != started->started_at) executed_twice_.insert(known->first);
    } else if (const auto* finished = std::get_if<protocol::ScriptFinished>(&message)) {
      const std::string end = finished->outcome + " " + std::to_string(finished->seq);
      const auto [known, is_new] = finished_.emplace(finished->run_id.text, end);
      if (!is_new && known->second != end) contradicted_.insert(known->first);
    }
  }
  bool has_result(const std::string& result) const {
    const std::lock_guard lock(mutex_);
    return results_.count(result) == 1;
  }
  std::set<std::string> without_end() const {
    const std::lock_guard lock(mutex_);
    std::set<std::string> missing;
    for (const std::string& id : accepted_) {
      if (finished_.count(id) == 0) missing.insert(id);
    }
    return missing;
  }
  std::size_t results() const {
    const std::lock_guard lock(mutex_);
    return results_.size();
  }
  std::size_t accepted() const {
    const std::lock_guard lock(mutex_);
    return accepted_.size();
  }
  std::set<std::string> executed_twice() const {
    const std::lock_guard lock(mutex_);
    return executed_twice_;
  }
  std::set<std::string> contradicted() const {
    const std::lock_guard lock(mutex_);
    return contradicted_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::string> results_, accepted_, executed_twice_, contradicted_;
  std::map<std::string, std::chrono::system_clock::time_point> started_;
  std::map<std::string, std::string> finished_;
};

/// The database of a dead satellite.
class DeadDatabase {
 public:
  explicit DeadDatabase(const std::filesystem::path& file) {
    REQUIRE(sqlite3_open(file.c_str(), &database_) == SQLITE_OK);
  }
  ~DeadDatabase() { sqlite3_close(database_); }
  DeadDatabase(const DeadDatabase&) = delete;
  DeadDatabase& operator=(const DeadDatabase&) = delete;

  std::vector<std::string> column(const char* sql) {
    std::vector<std::string> values;
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr) == SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
      const auto* text = static_cast<const char*>(sqlite3_column_blob(statement, 0));
      values.emplace_back(text == nullptr ? "" : text,
                          static_cast<std::size_t>(sqlite3_column_bytes(statement, 0)));
    }
    CHECK(sqlite3_finalize(statement) == SQLITE_OK);
    return values;
  }

 private:
  sqlite3* database_ = nullptr;
};

void collect_descendants(pid_t pid, std::vector<pid_t>& into) {
  for (const pid_t child : children_of(pid)) {
    into.push_back(child);
    collect_descendants(child, into);
  }
}

class KillLoop {
 public:
  explicit KillLoop(std::uint64_t seed) : random_(seed) {
    auto options = with_checks({shell_check("one", "echo 1", 1), shell_check("two", "echo 2", 1),
                                shell_check("three", "echo 3", 1)});
    options.core.extensions = {"script-dispatch/1"};
    if (seed % 2 == 0) options.core.extensions.emplace_back("result-ack/1");
    options.core.on_message = [this](const std::string&, const protocol::AgentMessage& message) {
      memory.take(message);
    };
    options.environment["CHECKSTACK_SATELLITE_LOG_LEVEL"] = "debug";
    scene_ = std::make_unique<Scene>(std::move(options));
  }

  Scene& scene() { return *scene_; }

  void one_life() {
    // Every other life begins when the core has it: on a busy machine none would get as far.
    if (pick(2) == 0) {
      REQUIRE(scene_->core().wait_until_authenticated(devcore::DevCore::patience, before_ + 1));
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(20 + pick(1'200));
    while (std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(pick(60)));
      do_something();
    }
    // Before it has made its tables there is nothing to look at.
    scene_->wait_for_log(" outbox_ready ");
    std::vector<pid_t> family;
    collect_descendants(scene_->satellite().pid(), family);
    scene_->end_satellite();
    for (const pid_t pid : family) {
      eventually("a process of the dead satellite ends", [pid] { return ::kill(pid, 0) != 0; });
    }
    look_at_database();
    before_ = scene_->core().ledger().counters().authentications;
    scene_->start_satellite();
  }

  void look_at_database() {
    DeadDatabase database(scene_->state_directory() / "outbox.db");
    CHECK(database.column("PRAGMA integrity_check") == std::vector<std::string>{"ok"});
    for (const std::string& frame : database.column("SELECT frame FROM frames ORDER BY seq")) {
      const json message = json::parse(frame);
      if (message.at("type") != "result") continue;
      promised_.insert(message.at("configId").get<std::string>() + " " +
                       message.at("executedAt").get<std::string>());
    }
  }

  void come_to_rest() {
    eventually(
        "every accepted run has its end", [this] { return memory.without_end().empty(); }, 120s);
    eventually("every result that was on disk is with the core", [this] {
      return std::all_of(promised_.begin(), promised_.end(),
                         [this](const std::string& result) { return memory.has_result(result); });
    });
  }
  std::size_t promised() const { return promised_.size(); }

  CoreMemory memory;

 private:
  std::uint64_t pick(std::uint64_t count) { return random_() % count; }

  void do_something() {
    devcore::DevCore& core = scene_->core();
    switch (pick(8)) {
      case 0:
        return core.misbehave(pick(2) == 0 ? devcore::Misbehaviour::reset
                                           : devcore::Misbehaviour::close);
      case 1:
        return core.set_acknowledge(pick(3) != 0);
      case 2:
      case 3: {
        // One that was sent before, now and then.
        const std::uint64_t number = runs_ > 0 && pick(3) == 0 ? pick(runs_) : runs_++;
        auto message =
            script(pick(2) == 0 ? "echo begin; sleep 0." + std::to_string(pick(9)) + "; echo end"
                                : "head -c " + std::to_string(pick(400'000)) +
                                      " /dev/zero | tr '\\0' x; sleep 0.1; echo end");
        message.run_id = RunId("kill-" + std::to_string(number));
        return core.dispatch(std::move(message));
      }
      default:
        return;
    }
  }

  std::mt19937_64 random_;
  std::unique_ptr<Scene> scene_;
  std::set<std::string> promised_;
  std::uint64_t runs_ = 0;
  std::uint64_t before_ = 0;  ///< authentications of earlier lives
};

}  // namespace

TEST_CASE("kill -9 at any moment loses nothing that was kept and executes nothing twice") {
  const std::uint64_t kills = number_from("SATELLITE_KILLS", 20);
  const std::uint64_t first_seed = number_from("SATELLITE_SEED", 1);
  const std::uint64_t rounds = kills > 20 ? 1 : 2;
  for (std::uint64_t seed = first_seed; seed < first_seed + rounds; ++seed) {
    INFO("seed " << seed << ", " << kills << " kills");
    KillLoop loop(seed);
    std::uint64_t lives = 0;
    const auto none_was_accepted = [&loop] { return loop.memory.accepted() == 0; };
    while (lives < kills / rounds || (none_was_accepted() && lives < 10 * kills)) {
      loop.one_life();
      ++lives;
    }
    loop.scene().core().set_acknowledge(true);
    loop.come_to_rest();
    CHECK(loop.memory.executed_twice() == std::set<std::string>{});
    CHECK(loop.memory.contradicted() == std::set<std::string>{});
    for (const std::string& id : loop.scene().core().ledger().run_ids()) {
      INFO("run " << id);
      CHECK(loop.scene().core().ledger().run(id).violations == std::vector<std::string>{});
    }
    // What is told as finished and came neither to the core nor to the disk was in memory for a
    // millisecond: not more than the few that a kill can meet.
    const std::string log = loop.scene().satellite().log();
    std::size_t finished = 0;
    for (auto at = log.find(" check_finished "); at != std::string::npos;
         at = log.find(" check_finished ", at + 1)) {
      ++finished;
    }
    CHECK(loop.memory.results() + lives + 3 >= finished);
    CHECK(loop.memory.accepted() > 0);
    if (std::getenv("SATELLITE_KILLS") != nullptr) {
      std::cout << "seed " << seed << ": " << kills << " kills, " << finished
                << " checks finished, " << loop.memory.results() << " results at the core, "
                << loop.promised() << " were on disk at a kill, " << loop.memory.accepted()
                << " runs accepted" << std::endl;
    }
    loop.scene().end_satellite(SIGTERM);
  }
}
