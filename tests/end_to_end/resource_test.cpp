// What the host does not give: descriptors, processes.
#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/sanitizer.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <utility>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

/// A limit of another process, until the end of the block.
class LoweredLimit {
 public:
  LoweredLimit(pid_t pid, int resource, rlim_t value) : pid_(pid), resource_(resource) {
    REQUIRE(::prlimit(pid_, kind(), nullptr, &before_) == 0);
    const rlimit lowered{value, before_.rlim_max};
    REQUIRE(::prlimit(pid_, kind(), &lowered, nullptr) == 0);
  }
  ~LoweredLimit() { ::prlimit(pid_, kind(), &before_, nullptr); }
  LoweredLimit(const LoweredLimit&) = delete;
  LoweredLimit& operator=(const LoweredLimit&) = delete;

 private:
  __rlimit_resource kind() const { return static_cast<__rlimit_resource>(resource_); }
  pid_t pid_;
  int resource_;
  rlimit before_{};
};

Scene::Options without_prepared_runs() {
  auto options = with_checks({shell_check("alive", "echo alive", 1)});
  options.environment["CHECKSTACK_SATELLITE_PREPARED_RUNS"] = "0";
  options.environment["CHECKSTACK_SATELLITE_LOG_LEVEL"] = "debug";
  return options;
}

pid_t launcher_of(Scene& scene) {
  const auto children = children_of(scene.satellite().pid());
  REQUIRE(children.size() == 1);
  return children[0];
}

std::string latest_status(Scene& scene) {
  const auto results = results_of(scene, "alive");
  return results.empty() ? "" : results.back().at("status").get<std::string>();
}

void wait_for_status(Scene& scene, const std::string& status) {
  const auto is_so = [&] { return latest_status(scene) == status; };
  eventually("a check is " + status, is_so, scene.satellite());
}

}  // namespace

TEST_CASE("an agent without descriptors fails its runs by name, lives, and recovers by itself") {
  Scene scene(without_prepared_runs());
  wait_for_status(scene, "healthy");
  {
    const LoweredLimit none(scene.satellite().pid(), RLIMIT_NOFILE, 4);
    scene.wait_for_log(" run_resources_lacking state=no_descriptors ");
    wait_for_status(scene, "unhealthy");
    if (has_sanitizer) {
      WARN("not tried: UBSan asks by a pipe whether an object is there, and takes it for broken");
      return;
    }
    // A connection that breaks meanwhile is tried again with pauses, and the reason is told.
    scene.core().misbehave(devcore::Misbehaviour::reset);
    scene.wait_for_log(" connect_failed ");
    CHECK(scene.satellite().running());
  }
  REQUIRE(scene.core().wait_until_authenticated(devcore::DevCore::patience, 2));
  scene.wait_for_log(" run_resources_back ");
  wait_for_status(scene, "healthy");
}

TEST_CASE("a launcher without descriptors fails runs by name, lives, and recovers by itself") {
  Scene scene(without_prepared_runs());
  wait_for_status(scene, "healthy");
  {
    // It holds more than the limit then, and poll(2) refuses so many.
    auto long_one = script("sleep 3; echo over");
    const std::string id = long_one.run_id.text;
    scene.core().dispatch(std::move(long_one));
    REQUIRE(scene.core().wait_started(id));
    const LoweredLimit none(launcher_of(scene), RLIMIT_NOFILE, 4);
    const auto over = scene.core().wait_finished(id);
    INFO(scene.satellite().log());
    REQUIRE(over);
    CHECK(over->standard_output == "over\n");
    wait_for_status(scene, "unhealthy");
    scene.wait_for_log(" run_resources_lacking state=no_descriptors ");
    CHECK(scene.satellite().running());
  }
  wait_for_status(scene, "healthy");
  scene.wait_for_log(" run_resources_back ");
}

TEST_CASE("a launcher that may start no process fails runs by name and recovers by itself") {
  if (::geteuid() == 0) return;  // root is not held to this limit
  Scene scene(without_prepared_runs());
  wait_for_status(scene, "healthy");
  {
    const LoweredLimit none(launcher_of(scene), RLIMIT_NPROC, 0);
    wait_for_status(scene, "unhealthy");
    scene.wait_for_log(" run_resources_lacking state=no_processes ");
    CHECK(scene.satellite().running());
  }
  wait_for_status(scene, "healthy");
}
