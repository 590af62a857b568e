// A wall clock that is set while the satellite works.
#include "tests/end_to_end/check_scene.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/sanitizer.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>

using namespace satellite;
using namespace satellite::tests;
using namespace std::chrono_literals;

namespace {

/// The number of seconds that a satellite's wall clock is off by.
class MovedClock {
 public:
  MovedClock() : file_(directory_.write("offset", std::string(sizeof(long), '\0'))) {
    const int file = ::open(file_.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(file >= 0);
    void* const page = ::mmap(nullptr, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    REQUIRE(page != MAP_FAILED);
    seconds_ = static_cast<std::atomic<long>*>(page);
  }
  ~MovedClock() { ::munmap(seconds_, sizeof(long)); }
  MovedClock(const MovedClock&) = delete;
  MovedClock& operator=(const MovedClock&) = delete;

  void move_to(std::chrono::seconds off) { *seconds_ = off.count(); }
  void prepare(Scene::Options& options) const {
    options.environment["LD_PRELOAD"] = SATELLITE_MOVED_CLOCK;
    options.environment["MOVED_CLOCK_FILE"] = file_;
  }

 private:
  TempDir directory_;
  std::string file_;
  std::atomic<long>* seconds_ = nullptr;
};

std::string year_of(const json& result) {
  return result.at("executedAt").get<std::string>().substr(0, 4);
}

std::string year_of_latest(Scene& scene) {
  return year_of(results_of(scene, "tick").back());
}

std::ptrdiff_t results_of_other_years(Scene& scene, const std::string& year) {
  const auto results = results_of(scene, "tick");
  return std::count_if(results.begin(), results.end(),
                       [&year](const json& result) { return year_of(result) != year; });
}

}  // namespace

TEST_CASE("a wall clock that is set fires no check, starves none and lets nothing lapse") {
  // A sanitizer's runtime has to be loaded first, and an unprivileged user may not reach the build.
  const bool can_be_moved = !has_sanitizer && ::access(SATELLITE_MOVED_CLOCK, R_OK) == 0;
  if (!require_layer("clock", can_be_moved, "the satellite's clock cannot be moved")) return;
  const auto off = GENERATE(std::chrono::seconds(24h * 400), std::chrono::seconds(-24h * 400));
  MovedClock clock;
  auto options = with_checks({shell_check("tick", "echo tick", 1)});
  options.environment["CHECKSTACK_SATELLITE_CONCURRENCY"] = "1";
  clock.prepare(options);
  Scene scene(std::move(options));
  nth_result(scene, "tick");
  const std::string year = year_of_latest(scene);

  // One run is done, one goes on, one waits and may wait for an hour.
  auto done = script("echo once");
  const std::string done_id = done.run_id.text;
  scene.run(std::move(done));
  auto going_on = script("read line; echo $line; sleep 1");
  going_on.standard_input = "on";
  const std::string first = going_on.run_id.text;
  auto waiting = script("echo started");
  waiting.start_before = std::chrono::system_clock::now() + 1h;
  const std::string second = waiting.run_id.text;
  scene.core().dispatch(std::move(going_on));
  REQUIRE(scene.core().wait_started(first));
  scene.core().dispatch(std::move(waiting));
  REQUIRE(scene.core().wait_answered(second));

  clock.move_to(off);
  const auto moved = std::chrono::steady_clock::now();
  eventually("four ticks of after the move",
             [&] { return results_of_other_years(scene, year) >= 4; });
  // They take three intervals at least, wherever the clock is.
  CHECK(std::chrono::steady_clock::now() - moved > 2'500ms);
  CHECK(year_of_latest(scene) != year);
  const auto ran = scene.core().wait_finished(second);
  REQUIRE(ran);
  CHECK(ran->finished->outcome == "exited");
  CHECK(ran->standard_output == "started\n");
  CHECK(scene.core().wait_finished(first)->finished->outcome == "exited");
  // The id is still known.
  auto again = script("echo once");
  again.run_id = RunId(done_id);
  scene.core().dispatch(std::move(again));
  eventually("the repeated run is answered",
             [&] { return !scene.core().ledger().run(done_id).statuses.empty(); });
  CHECK(scene.core().ledger().run(done_id).standard_output == "once\n");
  CHECK(scene.core().ledger().counters().authentications == 1);
}
