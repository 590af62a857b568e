#include "sandbox/launcher/process/launched_run.hpp"

#include "sandbox/kernel/memory_file.hpp"
#include "sandbox/launcher/process/program_images.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

/// A run up to the moment when its script stands at the barrier and has said so.
struct Standing {
  Standing() {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    output.reset(ends[0]);
    RunStreams streams{UniqueFd(ends[1]), UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC))};
    LaunchOrder order;
    order.run_number = 1;
    order.command = {"sh", "-c", "echo ran"};
    order.environment = {{"PATH", "/usr/bin:/bin"}};
    auto started = LaunchedRun::start(order, std::move(streams), state);
    REQUIRE(started);
    run = *std::move(started);
    pollfd said{run->barrier_fd(), POLLIN, 0};
    REQUIRE(::poll(&said, 1, 10'000) == 1);
  }

  LauncherRecord end() const {
    ::waitpid(run->pid(), nullptr, 0);
    const auto record = run->on_exit();
    REQUIRE(record);
    return *record;
  }
  /// Until the last process that could write has ended.
  std::string all_output() const {
    char text[64];
    const ssize_t size = ::read(output.get(), text, sizeof(text));
    return {text, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }

  TempDir files;
  kernel::ScratchArea scratch = *kernel::ScratchArea::make(files.path().string());
  LauncherState state{scratch,
                      *read_own_surroundings(),
                      kernel::make_memory_file("init", init_image(), kernel::Executable::yes),
                      UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)),
                      is_root(),
                      false,
                      0,
                      {},
                      {},
                      {},
                      {},
                      1'024,
                      false,
                      {},
                      Error{ErrorCode::unsupported, "not needed here"}};
  UniqueFd output;
  std::unique_ptr<LaunchedRun> run;
};

}  // namespace

TEST_CASE("a script that stands at the barrier when its run is told to end never starts") {
  const Standing standing;
  // Its message lies unread in the socket, as when a cancel and a message arrive in the same turn.
  SECTION("by the agent") {
    standing.run->kill();
  }
  SECTION("by a failure") {
    standing.run->fail({SetupStep::network_namespace, 0, 0, "gone"});
  }
  CHECK_FALSE(standing.run->on_barrier(standing.state));
  CHECK_FALSE(standing.run->on_network({}, standing.state));
  standing.run->release();
  CHECK(std::holds_alternative<RunSetupFailed>(standing.end().event));
  CHECK(standing.all_output().empty());
}

TEST_CASE("a script that stands at the barrier of a run that goes on starts when it is let go") {
  const Standing standing;
  const auto record = standing.run->on_barrier(standing.state);
  REQUIRE(record);
  CHECK(std::holds_alternative<RunStarted>(record->event));
  standing.run->release();
  CHECK(standing.all_output() == "ran\n");
  CHECK(std::holds_alternative<RunEnded>(standing.end().event));
}

TEST_CASE("programs without libc have no constructors, which nobody would run") {
  for (const auto image : {init_image(), forwarder_image()}) {
    REQUIRE(image.find(".text") != std::string_view::npos);  // names of sections are there
    CHECK(image.find(".init_array") == std::string_view::npos);
  }
}
