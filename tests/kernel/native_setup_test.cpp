#include "sandbox/build_plan.hpp"
#include "sandbox/planning/make_launch_order.hpp"
#include "tests/support/script_bench.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>
#include <filesystem>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

/// Orders of the native engine, given to the launcher as they are; what the script says is seen.
struct NativeOrders : ScriptBench {
  struct End {
    LauncherRecord record;
    std::string output;
  };

  LaunchOrder order(const Policy& policy = shipped_default_policy()) const {
    RunInputs inputs;
    inputs.command = {"sh", "-c", "echo ran"};
    inputs.base_environment = {{"PATH", "/usr/bin:/bin"}};
    inputs.default_identity = settings.default_identity;
    inputs.agent_identity = Identity{::geteuid(), ::getegid()};
    OrderInputs numbered;
    numbered.run_number = launcher->next_run_number();
    inputs.scratch_directory =
        launcher->scratch_area() + "/run-" + std::to_string(numbered.run_number);
    const auto decision = build_plan({policy, false}, facts, inputs, host_world());
    REQUIRE(std::holds_alternative<Plan>(decision));
    auto made = make_launch_order(std::get<Plan>(decision), std::move(numbered));
    REQUIRE(made.has_value());
    REQUIRE(made->engine == Engine::native);
    return *std::move(made);
  }

  End perform(const LaunchOrder& what) {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    Launcher::Streams streams{UniqueFd(::fcntl(writing.get(), F_DUPFD_CLOEXEC, 0)),
                              UniqueFd(::fcntl(writing.get(), F_DUPFD_CLOEXEC, 0))};
    writing.reset();
    auto link = launcher->start_run(what, std::move(streams));
    REQUIRE(link.has_value());
    End end;
    boost::asio::co_spawn(context, wait_for_end(*link, end), boost::asio::detached);
    context.restart();
    context.run();
    std::array<char, 256> buffer{};
    for (ssize_t got = 0; (got = ::read(reading.get(), buffer.data(), buffer.size())) > 0;) {
      end.output.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return end;
  }

 private:
  boost::asio::awaitable<void> wait_for_end(LaunchedRunLink& link, End& end) {
    for (bool ended = false; !ended;) {
      co_await link.arrived();
      while (auto record = link.take()) {
        ended = !std::holds_alternative<RunStarted>(record->event);
        end.record = *std::move(record);
      }
    }
    context.stop();
  }
};

std::vector<SetupStep> steps_of_a_run() {
  using enum SetupStep;
  std::vector<SetupStep> steps{loopback,          host_name,        private_mounts, new_root,
                               file_step,         seal_root,        pivot_root,     detach_host,
                               session_keyring,   capabilities,     fork_script,    new_session,
                               no_new_privileges, standard_streams, descriptors,    limit,
                               working_directory, landlock,         seccomp,        exec};
  if (is_root()) {
    steps.insert(steps.end(), {groups, group_id, user_id, confirm_identity});
  } else {
    steps.insert(steps.end(), {identity_map, nested_user_namespace});
  }
  return steps;
}

/// The run's file systems show in no mount table but its own.
std::string mount_table() {
  return read_proc(::getpid(), "mountinfo");
}

int children_of(pid_t launcher) {
  const std::string children =
      read_proc(launcher, "task/" + std::to_string(launcher) + "/children");
  return static_cast<int>(std::count(children.begin(), children.end(), ' '));
}

}  // namespace

TEST_CASE("a native order that nothing is wrong with runs") {
  NativeOrders bench;
  const auto end = bench.perform(bench.order());
  CHECK(std::holds_alternative<RunEnded>(end.record.event));
  CHECK(end.output == "ran\n");
}

TEST_CASE("each step of the native set-up that fails is named, and the script never runs") {
  NativeOrders bench;
  const std::string mounts = mount_table();
  for (const SetupStep step : steps_of_a_run()) {
    INFO("step " << name_of(step));
    LaunchOrder order = bench.order();
    order.fault = {step, -1, EIO};
    const auto end = bench.perform(order);
    REQUIRE(std::holds_alternative<RunSetupFailed>(end.record.event));
    const auto& failure = std::get<RunSetupFailed>(end.record.event);
    CHECK(name_of(failure.step) == name_of(step));
    CHECK(failure.error_number == EIO);
    CHECK(end.output.empty());
    CHECK(std::filesystem::is_empty(bench.launcher->scratch_area()));
    CHECK(eventually([&] { return children_of(bench.launcher->pid()) == 0; }));
  }
  CHECK(mount_table() == mounts);
}

TEST_CASE("each deed of the file view that fails is named by its number") {
  NativeOrders bench;
  const auto count = static_cast<int>(bench.order().native->steps.size());
  REQUIRE(count > 50);
  for (int index = 0; index < count; ++index) {
    LaunchOrder order = bench.order();
    INFO("step " << index << ", " << order.native->steps[static_cast<std::size_t>(index)].target);
    order.fault = {SetupStep::file_step, index, ENOSPC};
    const auto end = bench.perform(order);
    REQUIRE(std::holds_alternative<RunSetupFailed>(end.record.event));
    const auto& failure = std::get<RunSetupFailed>(end.record.event);
    CHECK(failure.step == SetupStep::file_step);
    CHECK(failure.index == index);
    CHECK(failure.error_number == ENOSPC);
    CHECK(end.output.empty());
  }
  CHECK(std::filesystem::is_empty(bench.launcher->scratch_area()));
}

TEST_CASE("what the native engine promised and did not do is missed at the barrier") {
  NativeOrders bench;
  LaunchOrder order = bench.order();
  auto& steps = order.native->steps;
  const auto refused = [&] {
    const auto end = bench.perform(order);
    CHECK(end.output.empty());
    REQUIRE(std::holds_alternative<RunRefused>(end.record.event));
    return std::get<RunRefused>(end.record.event).missing;
  };
  SECTION("the network is the host's") {
    order.native->own_network = false;
    // In the host's network namespace its settings are not ours to write.
    std::erase_if(steps, [](const FileStep& step) {
      return step.target.find("ping_group_range") != std::string::npos;
    });
    CHECK(refused().find("network: shares the host's network namespace") == 0);
  }
  SECTION("a system directory is writable") {
    for (auto& step : steps) {
      if (step.target == "usr") step = {FileStepKind::bind, "usr", "/usr", 0, 0755, false, true};
    }
    CHECK(refused().find("filesystem: /usr") == 0);
  }
  SECTION("the /tmp is not a fresh one") {
    for (auto& step : steps) {
      if (step.target == "tmp") step = {FileStepKind::bind, "tmp", "/usr/share", 0, 0755};
      if (step.target.starts_with("tmp/")) step = {FileStepKind::directory, "dev/other", {}};
    }
    order.native->writable_paths = {"/dev"};
    order.working_directory = "/";
    CHECK(refused().find("/tmp is not private") != std::string::npos);
  }
  SECTION("a limit is not set") {
    order.resource_settings.clear();
    CHECK(refused().find("resources: ") == 0);
  }
}
