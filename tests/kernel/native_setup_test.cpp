#include "tests/support/in_child.hpp"
#include "tests/support/native_orders.hpp"
#include "tests/support/require_layer.hpp"
#include "tests/support/script_bench.hpp"
#include "tests/support/temp_dir.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::tests;

namespace {

std::vector<SetupStep> steps_of_a_run() {
  using enum SetupStep;
  std::vector<SetupStep> steps{loopback,         private_mounts, new_root,    file_step,
                               seal_root,        pivot_root,     detach_host, session_keyring,
                               capabilities,     fork_script,    new_session, no_new_privileges,
                               standard_streams, descriptors,    limit,       working_directory,
                               landlock,         seccomp,        exec};
  if (is_root()) {
    steps.insert(steps.end(), {groups, group_id, user_id, confirm_identity});
  } else {
    steps.insert(steps.end(), {identity_map, nested_user_namespace});
  }
  return steps;
}

/// No file system of the run appears in another mount table than its own.
std::string mount_table() {
  return read_proc(::getpid(), "mountinfo");
}

}  // namespace

TEST_CASE("a native order that nothing is wrong with runs") {
  NativeOrders bench;
  const auto end = bench.perform(bench.order());
  CHECK(std::holds_alternative<RunEnded>(end.record.event));
  CHECK(end.output == "ran\n");
}

TEST_CASE("each step of the native set-up that fails is named, and the script never runs") {
  if (!faults_can_be_injected()) return;
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
    CHECK(eventually([&] { return count_children(bench.launcher->pid()) == 0; }));
  }
  CHECK(mount_table() == mounts);
}

TEST_CASE("a link of the host is the same in the run, however long it is") {
  NativeOrders bench;
  const TempDir files;
  const std::string long_path = "/" + std::string(300, 'a') + "/" + std::string(200, 'b');
  const std::string longest = std::string(4'095, 'c');
  std::filesystem::create_symlink(long_path, files.path() / "long");
  std::filesystem::create_symlink(longest, files.path() / "longest");
  LaunchOrder order = bench.order();
  auto& steps = order.native->steps;
  steps.insert(steps.begin(), {FileStepKind::mirror, "long", files.path() / "long"});
  steps.insert(steps.begin(), {FileStepKind::mirror, "longest", files.path() / "longest"});
  order.native->root_steps += 2;
  order.command = {"sh", "-c", "readlink /long; readlink /longest"};
  const auto end = bench.perform(order);
  CHECK(end.output == long_path + "\n" + longest + "\n");
}

TEST_CASE("a file that has no room in the run is a failure, not a shorter file") {
  NativeOrders bench;
  // The second text begins within a page, so that the last page there is takes a part of it.
  const std::string beginning(100, 'a');
  const std::string rest(4'000, 'b');
  LaunchOrder order = bench.order();
  order.command = {"sh", "-c", "wc -c < /tmp/copy"};
  const std::uint64_t size = GENERATE(std::uint64_t{4'096}, std::uint64_t{65'536});
  for (auto& step : order.native->steps) {
    if (step.target == "tmp") step.size = size;
  }
  for (auto& memory : order.expectation.memory_sizes) {
    if (memory.path == "/tmp") memory.bytes = size;
  }
  order.native->steps.push_back({FileStepKind::text, "tmp/copy", beginning, 0, 0644});
  order.native->steps.push_back({FileStepKind::append, "tmp/copy", rest, 0, 0644});
  const auto end = bench.perform(order);
  if (size > 4'096) {
    CHECK(std::holds_alternative<RunEnded>(end.record.event));
    CHECK(end.output == "4100\n");
    return;
  }
  CHECK(end.output.empty());
  REQUIRE(std::holds_alternative<RunSetupFailed>(end.record.event));
  CHECK(std::get<RunSetupFailed>(end.record.event).error_number == ENOSPC);
}

TEST_CASE("each deed of the file view that fails is named by its number") {
  if (!faults_can_be_injected()) return;
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
      const bool is_in_tmp = step.target.starts_with("tmp/");
      if (is_in_tmp || step.kind == FileStepKind::own_text)
        step = {FileStepKind::directory, "dev", {}};
    }
    order.writable_paths = {"/dev"};
    order.working_directory = "/";
    CHECK(refused().find("/tmp is not private") != std::string::npos);
  }
  SECTION("a limit is not set") {
    order.resource_settings.clear();
    CHECK(refused().find("resources: ") == 0);
  }
}

TEST_CASE("where no memory file may be executed, init goes on as a copy of the launcher") {
  if (!require_layer("root", is_root(), "only root can forbid it for a pid namespace")) return;
  const std::string seen = in_child([]() -> std::string {
    if (::unshare(CLONE_NEWPID) != 0) return "unshare";
    return in_child([]() -> std::string {
      take_own_mounts();
      if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) return "proc";
      std::ofstream setting("/proc/sys/vm/memfd_noexec");
      if (!(setting << "2" << std::flush)) return "no such setting";
      std::string text;
      for (const Engine engine : {Engine::native, Engine::none}) {
        ScriptBench bench(engine);
        const Policy policy = policy_for(engine);
        for (int i = 0; i < 2; ++i) {  // with a root of its own, then perhaps in a copy of one
          const Ran ran = bench.run(script("echo ran; exit 7"), policy);
          text += ran.result.error.value_or(ran.standard_output) + " " +
                  std::to_string(ran.result.exit_code) + "\n";
        }
      }
      return text;
    });
  });
  if (!require_layer("memfd_noexec", seen != "no such setting", "Linux before 6.3")) return;
  CHECK(seen == "ran\n 7\nran\n 7\nran\n 7\nran\n 7\n");
}
