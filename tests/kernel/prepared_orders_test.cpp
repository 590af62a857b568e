#include "tests/support/native_orders.hpp"

#include <signal.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <sstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

// What the launcher makes of a run that is prepared and gets its task later.

namespace {

const RunSetupFailed& failure_of(const NativeOrders::End& end) {
  REQUIRE(std::holds_alternative<RunSetupFailed>(end.record.event));
  return std::get<RunSetupFailed>(end.record.event);
}

void check_nothing_ran(const NativeOrders& bench, const NativeOrders::End& end) {
  CHECK(end.output.empty());
  CHECK(eventually([&] { return count_children(bench.launcher->pid()) == 0; }));
  CHECK(eventually([&] { return std::filesystem::is_empty(bench.launcher->scratch_area()); }));
}

}  // namespace

TEST_CASE("a prepared order runs when it is begun, and not before") {
  NativeOrders bench;
  const LaunchOrder order = bench.order();
  const auto end = bench.perform_prepared(order, order);
  CHECK(end.was_prepared);
  REQUIRE(std::holds_alternative<RunEnded>(end.record.event));
  CHECK(std::get<RunEnded>(end.record.event).wait_status == 0);
  CHECK(end.output == "ran\n");
  CHECK(std::filesystem::is_empty(bench.launcher->scratch_area()));
}

TEST_CASE("a prepared run that nobody begins leaves nothing") {
  NativeOrders bench;
  const auto end = bench.perform_prepared(bench.order(), std::nullopt);
  CHECK(end.was_prepared);
  check_nothing_ran(bench, end);
}

TEST_CASE("the task's own failures are those of a run that was not prepared") {
  NativeOrders bench;
  const LaunchOrder order = bench.order();
  LaunchOrder begun = order;
  SECTION("the command is not there") {
    begun.command = {"no-such-command"};
    const auto end = bench.perform_prepared(order, begun);
    CHECK(failure_of(end).step == SetupStep::find_command);
    CHECK(failure_of(end).error_number == ENOENT);
    check_nothing_ran(bench, end);
  }
  SECTION("the working directory is not there") {
    begun.working_directory = "/nonexistent";
    const auto end = bench.perform_prepared(order, begun);
    CHECK(failure_of(end).step == SetupStep::working_directory);
    check_nothing_ran(bench, end);
  }
  SECTION("too few descriptors are left for its streams") {
    LaunchOrder narrow = bench.order();
    for (auto* settings : {&narrow.resource_settings, &narrow.expectation.resource_settings}) {
      for (auto& setting : *settings) {
        if (setting.resource == Resource::open_files) setting.value = 7;
      }
    }
    const auto end = bench.perform_prepared(narrow, narrow);
    CHECK(failure_of(end).step == SetupStep::receive_task);
    check_nothing_ran(bench, end);
  }
}

TEST_CASE("each step between the task and the script that fails is named, and nothing runs") {
  if (!faults_can_be_injected()) return;
  NativeOrders bench;
  using enum SetupStep;
  for (const SetupStep step : {standard_streams, descriptors, working_directory, exec}) {
    INFO("step " << name_of(step));
    const LaunchOrder order = bench.order();
    LaunchOrder begun = order;
    begun.fault = {step, -1, EIO};
    const auto end = bench.perform_prepared(order, begun);
    CHECK(end.was_prepared);
    CHECK(name_of(failure_of(end).step) == name_of(step));
    CHECK(failure_of(end).error_number == EIO);
    check_nothing_ran(bench, end);
  }
}

TEST_CASE("each step of the set-up that fails keeps a run from being prepared") {
  if (!faults_can_be_injected()) return;
  NativeOrders bench;
  using enum SetupStep;
  for (const SetupStep step : {new_root, file_step, seal_root, session_keyring, capabilities,
                               fork_script, limit, no_new_privileges, landlock, seccomp}) {
    INFO("step " << name_of(step));
    LaunchOrder order = bench.order();
    order.fault = {step, -1, EIO};
    const auto end = bench.perform_prepared(order, order);
    CHECK_FALSE(end.was_prepared);
    CHECK(name_of(failure_of(end).step) == name_of(step));
    check_nothing_ran(bench, end);
  }
}

TEST_CASE("a layer that is missing is noticed before a run counts as prepared") {
  NativeOrders bench;
  LaunchOrder order = bench.order();
  order.resource_settings.clear();
  const auto end = bench.perform_prepared(order, order);
  CHECK_FALSE(end.was_prepared);
  REQUIRE(std::holds_alternative<RunRefused>(end.record.event));
  check_nothing_ran(bench, end);
}

TEST_CASE("what was prepared for one sandbox does not start a script that was to get another") {
  NativeOrders bench;
  const LaunchOrder order = bench.order();
  LaunchOrder begun = order;
  SECTION("other limits") {
    begun.resource_settings.front().value += 1;
  }
  SECTION("another user") {
    begun.identity = Identity{12'345, 12'345};
  }
  SECTION("other files") {
    begun.native->steps.pop_back();
  }
  SECTION("a network with a way out") {
    begun.native->own_network = false;
  }
  SECTION("less is expected of it") {
    begun.expectation.filtered_calls = false;
  }
  const auto end = bench.perform_prepared(order, begun);
  CHECK(end.was_prepared);
  CHECK(failure_of(end).step == SetupStep::receive_task);
  check_nothing_ran(bench, end);
}

TEST_CASE("a run that was not prepared, or is gone, is not begun") {
  NativeOrders bench;
  const LaunchOrder order = bench.order();
  int ends[2] = {-1, -1};
  REQUIRE(::pipe(ends) == 0);
  // No record answers: the end of a prepared run is reported for the order that prepared it.
  REQUIRE(bench.launcher->begin_run(order, {UniqueFd(ends[1]), UniqueFd(::dup(ends[1]))}));
  const auto next = bench.perform(bench.order());
  CHECK(next.output == "ran\n");
  char byte = 0;
  CHECK(::read(ends[0], &byte, 1) == 0);
  ::close(ends[0]);
}

TEST_CASE("a prepared run holds nothing of the host or of other runs") {
  NativeOrders bench;
  const LaunchOrder first = bench.order();
  auto link = bench.launcher->prepare_run(first);
  REQUIRE(link);
  REQUIRE(eventually([&] {
    bench.context.restart();
    bench.context.run_one_for(std::chrono::milliseconds(10));
    const auto record = link->take();
    return record && std::holds_alternative<RunPrepared>(record->event);
  }));
  // Its processes wait with the script's user and four descriptors: three of /dev/null, and the
  // barrier.
  std::istringstream children(read_proc(
      bench.launcher->pid(), "task/" + std::to_string(bench.launcher->pid()) + "/children"));
  pid_t standing = 0;
  // Others of its children make namespaces for runs to come, and the init of the trial may be on
  // its way out.
  for (pid_t child = 0; standing == 0 && children >> child;) {
    if (read_proc(child, "comm") != "csat-init\n") continue;
    std::istringstream below(read_proc(child, "task/" + std::to_string(child) + "/children"));
    below >> standing;
  }
  REQUIRE(standing > 0);
  CHECK(read_proc(standing, "status").find("Seccomp:\t2") != std::string::npos);
  CHECK(read_proc(standing, "status").find("CapBnd:\t0000000000000000") != std::string::npos);
  // To its own user it is closed by now; the launcher counted before.
  if (!is_root()) return;
  std::size_t open = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(standing) + "/fd")) {
    static_cast<void>(entry);
    ++open;
  }
  CHECK(open == 4);
}
