// A disk that hangs, and one that fails, under a satellite that works.
#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/in_child.hpp"
#include "tests/support/loop_disk.hpp"
#include "tests/support/require_layer.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <sstream>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

std::string on_a_disk(const std::function<std::string(LoopDisk&, Scene&)>& what) {
  take_own_mounts();
  LoopDisk disk;
  auto options = with_checks({shell_check("count", "echo counted", 1)});
  options.state_directory = disk.path();
  options.core.extensions = {"script-dispatch/1", "result-ack/1"};
  options.environment["CHECKSTACK_SATELLITE_OUTBOX_FREE_SPACE"] = "0";
  options.environment["CHECKSTACK_SATELLITE_LOG_LEVEL"] = "debug";
  Scene scene(std::move(options));
  // However this ends: what hangs in the kernel would keep the satellite from ending.
  const struct Thaw {
    LoopDisk& disk;
    ~Thaw() { disk.thaw(); }
  } thaw{disk};
  nth_result(scene, "count");
  return what(disk, scene);
}

std::size_t checks_finished(Scene& scene) {
  std::istringstream log(scene.satellite().log());
  std::size_t count = 0;
  for (std::string line; std::getline(log, line);) {
    count += line.find(" check_finished ") != std::string::npos;
  }
  return count;
}

void wait_for_more_checks(Scene& scene, std::size_t more) {
  const std::size_t before = checks_finished(scene);
  eventually("checks go on", [&] { return checks_finished(scene) >= before + more; });
}

/// All results of now and of before a core came back.
void wait_for_all_results(Scene& scene, std::set<std::string> had) {
  eventually("every result has come", [&] {
    for (const json& one : results_of(scene, "count")) had.insert(one.at("executedAt"));
    // Read after what came, so that one that is lost keeps this from being true for ever.
    return had.size() >= checks_finished(scene);
  });
}

/// Of results that this core has; from now on it acknowledges none, so that the next one gets them.
std::set<std::string> moments_now(Scene& scene) {
  scene.core().set_acknowledge(false);
  std::set<std::string> seen;
  for (const json& one : results_of(scene, "count")) seen.insert(one.at("executedAt"));
  return seen;
}

}  // namespace

TEST_CASE("a disk that hangs keeps no check and no connection, and gets all when it is back") {
  if (!require_layer("loop", LoopDisk::is_possible(), "there are no loop devices")) return;
  CHECK(in_child([] {
          return on_a_disk([](LoopDisk& disk, Scene& scene) {
            disk.freeze();
            scene.wait_for_log(" outbox_degraded state=disk_hanging ");
            wait_for_more_checks(scene, 2);
            const auto run = scene.run("echo through");
            if (run.standard_output != "through\n") return "a run said " + run.standard_output;
            const auto had = moments_now(scene);
            scene.stop_core();
            wait_for_more_checks(scene, 2);
            disk.thaw();
            eventually("the disk is used again", [&] {
              const std::string log = scene.satellite().log();
              return log.rfind(" outbox_ready ") > log.rfind(" outbox_degraded ");
            });
            scene.start_core();
            wait_for_all_results(scene, had);
            return std::string("nothing lost");
          });
        }) == "nothing lost");
}

TEST_CASE("a disk that turns read-only is a state, and results are in memory from then on") {
  if (!require_layer("loop", LoopDisk::is_possible(), "there are no loop devices")) return;
  CHECK(in_child([] {
          return on_a_disk([](LoopDisk& disk, Scene& scene) {
            const auto had = moments_now(scene);
            scene.stop_core();
            scene.wait_for_log(" disconnected ");
            disk.fail();
            scene.wait_for_log(" outbox_degraded state=disk_");
            wait_for_more_checks(scene, 3);
            scene.start_core();
            wait_for_all_results(scene, had);
            return std::string(scene.satellite().running() ? "nothing lost" : "it ended");
          });
        }) == "nothing lost");
}
