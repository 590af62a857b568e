#include "tests/end_to_end/scene.hpp"

#include <signal.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

using namespace satellite;
using namespace satellite::tests;

// Sandboxes that stand ready between the scripts of a real satellite.

namespace {

std::string name_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  file >> name;
  return name;
}

/// The inits below the launcher, which is the satellite's only child, whose script is still our own
/// code: not those that run one, nor those on their way out.
std::vector<pid_t> standing(const SatelliteProcess& satellite) {
  std::vector<pid_t> found;
  for (const pid_t launcher : children_of(satellite.pid())) {
    for (const pid_t init : children_of(launcher)) {
      const auto below = children_of(init);
      if (below.size() == 1 && name_of(below.front()) == "csat-init") found.push_back(init);
    }
  }
  return found;
}

Scene::Options keeping(const char* count) {
  Scene::Options options = Scene::with_policy(default_policy);
  options.environment["CHECKSTACK_SATELLITE_PREPARED_RUNS"] = count;
  return options;
}

}  // namespace

TEST_CASE(
    "a sandbox stands ready after a script, is used by the next, and goes with the satellite") {
  Scene scene(keeping("2"));
  CHECK(scene.run("echo one").standard_output == "one\n");
  eventually("a sandbox stands ready", [&] { return !standing(scene.satellite()).empty(); });
  const auto first = standing(scene.satellite());
  // It may still have been on its way when the next script came.
  eventually("it was used", [&] {
    CHECK(scene.run("echo two").standard_output == "two\n");
    const auto now = standing(scene.satellite());
    return std::ranges::none_of(first, [&](pid_t pid) { return std::ranges::count(now, pid) > 0; });
  });
  eventually("another one took its place", [&] { return !standing(scene.satellite()).empty(); });
  const auto left = standing(scene.satellite());
  scene.satellite().signal(SIGTERM);
  CHECK(scene.satellite().wait() == 0);
  CHECK(std::ranges::all_of(left, [](pid_t pid) { return ::kill(pid, 0) != 0; }));
}

TEST_CASE("a policy that is pushed holds for the very next script, whatever stood ready") {
  Scene scene(keeping("2"));
  CHECK(scene.run("ulimit -n").finished->exit_code == 0);
  eventually("a sandbox stands ready", [&] { return !standing(scene.satellite()).empty(); });
  scene.core().push_policy(
      R"({"enabled":true,"onUnavailable":"fail","resources":{"maxOpenFiles":77},
          "filesystem":{"mode":"scratch-plus-ro"},"network":{"mode":"deny"},
          "privilege":{"mode":"drop-to-uid"}})");
  CHECK(scene.run("ulimit -n").standard_output == "77\n");
}

TEST_CASE("nothing stands ready where the operator wants nothing to") {
  Scene scene(keeping("0"));
  CHECK(scene.run("echo one").standard_output == "one\n");
  CHECK(scene.run("echo two").standard_output == "two\n");
  eventually("the runs are gone", [&] { return standing(scene.satellite()).empty(); });
}
