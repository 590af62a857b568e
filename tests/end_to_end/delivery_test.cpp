#include "protocol/timestamp.hpp"
#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/require_layer.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

Scene::Options counting_checks(std::vector<std::string> extensions = {}) {
  auto options = with_checks({shell_check("count", "echo counted", 1)});
  options.core.extensions = std::move(extensions);
  options.environment["CHECKSTACK_SATELLITE_LOG_LEVEL"] = "debug";
  return options;
}

std::size_t count_in_log(Scene& scene, const std::string& words) {
  const std::string log = scene.satellite().log();
  std::size_t count = 0;
  for (auto at = log.find(words); at != std::string::npos; at = log.find(words, at + 1)) ++count;
  return count;
}

std::set<std::string> moments_of(Scene& scene) {
  std::set<std::string> moments;
  for (const json& result : results_of(scene, "count")) {
    moments.insert(result.at("executedAt").get<std::string>());
  }
  return moments;
}

/// So many results more than now are finished, wherever they are.
void wait_for_finished(Scene& scene, std::size_t more) {
  const std::size_t before = count_in_log(scene, " check_finished ");
  eventually(
      "checks go on", [&] { return count_in_log(scene, " check_finished ") >= before + more; },
      90s);
}

/// Kills the satellite when all that its log tells of is written: the disk is written to after
/// each line. How many results there were, and until when.
struct Killed {
  std::size_t finished = 0;
  std::string at;
};
Killed kill_when_written(Scene& scene) {
  Killed killed;
  const auto log = scene.log_file();
  const auto database = scene.state_directory() / "outbox.db-wal";
  eventually("what is told is written", [&] {
    killed.finished = count_in_log(scene, " check_finished ");
    std::error_code none;
    const auto written = std::filesystem::last_write_time(database, none);
    if (none || written < std::filesystem::last_write_time(log)) return false;
    // A late write may belong to an earlier line of the log; then another write follows at once.
    return std::filesystem::file_time_type::clock::now() - written > std::chrono::milliseconds(100);
  });
  scene.end_satellite();
  killed.at = protocol::format_timestamp(std::chrono::system_clock::now());
  return killed;
}

std::size_t count_until(const std::set<std::string>& moments, const std::string& at) {
  return static_cast<std::size_t>(std::distance(moments.begin(), moments.upper_bound(at)));
}

}  // namespace

TEST_CASE("results that a core took without reading them reach it on the next connection") {
  Scene scene(counting_checks());
  nth_result(scene, "count", 8);
  scene.core().misbehave(devcore::Misbehaviour::stall);
  REQUIRE(scene.core().wait_until_stalled());
  wait_for_finished(scene, 6);
  scene.core().misbehave(devcore::Misbehaviour::reset);
  wait_for_finished(scene, 1);
  // All of them. A pong confirms what came before it and is not said again; what the core read
  // since its last pong is.
  eventually("everything has come",
             [&] { return moments_of(scene).size() >= count_in_log(scene, " check_finished "); });
  CHECK(results_of(scene, "count").size() <= moments_of(scene).size() + 4);
}

TEST_CASE("results outlive kill -9 and a core that is away, and come in order") {
  const bool acknowledges = GENERATE(false, true);
  Scene scene(counting_checks(acknowledges ? std::vector<std::string>{"result-ack/1"}
                                           : std::vector<std::string>{}));
  nth_result(scene, "count", 1);
  std::set<std::string> had = moments_of(scene);
  scene.stop_core();
  scene.wait_for_log(" disconnected ");
  wait_for_finished(scene, 3);
  const Killed killed = kill_when_written(scene);
  scene.start_core();
  scene.start_satellite();
  const auto all = [&] {
    auto moments = moments_of(scene);
    moments.insert(had.begin(), had.end());
    return moments;
  };
  eventually("what waited has come",
             [&] { return count_until(all(), killed.at) >= killed.finished; });
  // In the order of their runs.
  std::string last;
  for (const json& result : results_of(scene, "count")) {
    const std::string at = result.at("executedAt");
    CHECK(result.contains("resultId") == acknowledges);
    if (at > killed.at) continue;
    CHECK(last < at);
    last = at;
  }
}

TEST_CASE("a result is sent under one id until it is acknowledged") {
  auto options = counting_checks({"result-ack/1"});
  options.core.acknowledge = false;
  Scene scene(std::move(options));
  const std::string id = nth_result(scene, "count", 1).at("resultId");
  scene.core().misbehave(devcore::Misbehaviour::reset);
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  const auto times_sent = [&] {
    std::size_t times = 0;
    for (const json& result : results_of(scene, "count")) times += result.at("resultId") == id;
    return times;
  };
  eventually("it is sent again", [&] { return times_sent() == 2; });
  scene.end_satellite();
  scene.start_satellite();
  eventually("and after the restart", [&] { return times_sent() == 3; });
  scene.core().push_text(R"({"type":"result_ack","resultIds":[")" + id + "\"]}");
  // The acknowledgement is read before the connection ends.
  scene.core().query("nobody");
  const auto before = scene.core().ledger().counters().authentications;
  scene.core().misbehave(devcore::Misbehaviour::close);
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, before + 1));
  const std::size_t seen = results_of(scene, "count").size();
  eventually("others are sent again", [&] { return results_of(scene, "count").size() > seen + 1; });
  CHECK(times_sent() == 3);
}

TEST_CASE("a satellite that sends nothing twice does not offer acknowledgements") {
  auto options = counting_checks({"result-ack/1"});
  options.environment["CHECKSTACK_SATELLITE_DELIVERY"] = "at-most-once";
  Scene scene(std::move(options));
  nth_result(scene, "count", 2);
  const json hello = json::parse(scene.core().ledger().frames("authenticate").at(0));
  for (const auto& word : hello.at("capabilities")) CHECK(word != "result-ack");
  scene.core().misbehave(devcore::Misbehaviour::stall);
  REQUIRE(scene.core().wait_until_stalled());
  wait_for_finished(scene, 2);
  scene.core().misbehave(devcore::Misbehaviour::reset);
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  wait_for_finished(scene, 2);
  scene.end_satellite(SIGTERM);
  CHECK(results_of(scene, "count").size() == moments_of(scene).size());
}

TEST_CASE("a second satellite in the same state directory is told who has it") {
  Scene scene;
  const auto second = run_satellite(
      {"run"}, {{"PATH", "/usr/bin:/bin"},
                {"CHECKSTACK_CORE_URL", scene.core().url()},
                {"CHECKSTACK_SATELLITE_CLIENT_ID", "satellite-1"},
                {"CHECKSTACK_SATELLITE_TOKEN", "csat_right"},
                {"CHECKSTACK_SATELLITE_STATE_DIRECTORY", scene.state_directory().string()}});
  CHECK(second.exit_code == 1);
  CHECK(second.standard_error.find("process " + std::to_string(scene.satellite().pid())) !=
        std::string::npos);
}

TEST_CASE("without a directory the satellite works and says what that means") {
  const bool is_asked_for = GENERATE(true, false);
  auto options = Scene::with_policy(default_policy);
  if (is_asked_for) {
    options.environment["CHECKSTACK_SATELLITE_EPHEMERAL"] = "true";
  } else {
    options.environment["CHECKSTACK_SATELLITE_STATE_DIRECTORY"] = "/proc/none";
  }
  Scene scene(std::move(options));
  CHECK(scene.run("echo hello").standard_output == "hello\n");
  scene.wait_for_log(is_asked_for ? " outbox_ephemeral "
                                  : " outbox_degraded state=no_state_directory ");
  CHECK_FALSE(std::filesystem::exists(scene.state_directory()));
}

TEST_CASE("a full disk is a state that the satellite leaves by itself, and nothing is lost in it") {
  if (!require_layer("root", ::geteuid() == 0, "only root can mount a small disk")) return;
  const TempDir disk;  // removed where nothing is mounted on it
  CHECK(in_child([&disk] {
          if (::unshare(CLONE_NEWNS) != 0 ||
              ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
            return std::string("no mount namespace");
          }
          if (::mount("tmpfs", disk.path().c_str(), "tmpfs", 0, "size=1m,mode=0700") != 0) {
            return std::string("no small disk");
          }
          auto options = counting_checks();
          options.state_directory = disk.path();
          Scene scene(std::move(options));
          nth_result(scene, "count", 1);
          const std::string filler = disk.write("filler", "");
          std::ofstream(filler) << std::string(1U << 20U, 'x');
          const auto had = moments_of(scene);
          scene.stop_core();
          scene.wait_for_log(" outbox_degraded state=disk_full ");
          wait_for_finished(scene, 2);
          const std::size_t ready = count_in_log(scene, " outbox_ready ");
          std::filesystem::remove(filler);
          eventually("the disk is used again",
                     [&] { return count_in_log(scene, " outbox_ready ") > ready; });
          wait_for_finished(scene, 1);
          const Killed killed = kill_when_written(scene);
          scene.start_core();
          scene.start_satellite();
          eventually("what waited has come", [&] {
            auto moments = moments_of(scene);
            moments.insert(had.begin(), had.end());
            return count_until(moments, killed.at) >= killed.finished;
          });
          return std::string("nothing lost");
        }) == "nothing lost");
}
