#include "unit/sandbox/hosts.hpp"

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::sandbox::test;

namespace {

constexpr std::uint64_t granted_bytes = 1U << 20U;

RunInputs run_with_state(std::uint64_t bytes = granted_bytes) {
  RunInputs inputs = run_in("/tmp/run");
  inputs.launcher_makes_network = true;
  inputs.host_view.state_bytes = bytes;
  return inputs;
}

HostFacts native_host() {
  HostFacts facts = unprivileged_bwrap_host();
  facts.native_engine = true;
  return facts;
}

HostFacts sizing_bwrap_host() {
  HostFacts facts = unprivileged_bwrap_host();
  facts.wrapper_sizes_memory = true;
  return facts;
}

bool tells_of_state(const Plan& plan) {
  return std::any_of(plan.promise.notes.begin(), plan.promise.notes.end(), [](const Note& note) {
    return note.note.find("host_view.state") != std::string::npos;
  });
}

}  // namespace

TEST_CASE(
    "a granted state is a sized directory of the run's own, writable, measured and reported") {
  const auto facts = GENERATE_COPY(native_host(), sizing_bwrap_host());
  const auto plan = plan_for(default_with("{}"), facts, run_with_state());
  CHECK(plan.state_bytes == granted_bytes);
  CHECK(plan.environment.at("CHECKSTACK_STATE_DIRECTORY") == "/.state");
  CHECK(has_word(plan.writable_paths, "/.state"));
  CHECK(plan.memory_sizes.back() == MemorySize{"/.state", granted_bytes});
  CHECK(plan.promise.grants == std::vector<std::string>{"state 1MiB"});
  CHECK_FALSE(tells_of_state(plan));
  if (plan.native) return;
  CHECK(has_run(plan.wrapper, {"--perms", "0700", "--size", "1048576", "--tmpfs", "/.state"}));
}

TEST_CASE("the root that runs share has an empty place for a state and nothing of it") {
  const auto plan = plan_for(default_with("{}"), native_host(), run_with_state());
  REQUIRE(plan.native);
  REQUIRE(plan.native->root_steps > 0);
  const auto& steps = plan.native->steps;
  std::size_t places = 0, mounts = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].target != ".state") continue;
    const bool is_shared = i < plan.native->root_steps;
    places += is_shared && steps[i].kind == FileStepKind::directory ? 1U : 0U;
    mounts += !is_shared && steps[i].kind == FileStepKind::memory ? 1U : 0U;
  }
  CHECK(places == 1);
  CHECK(mounts == 1);
}

TEST_CASE("with other grants Landlock lets a script read its state, too") {
  RunInputs inputs = run_with_state();
  inputs.host_view.paths = {"/var/log"};
  const auto plan = plan_for(default_with("{}"), native_host(), inputs);
  CHECK(std::count(plan.readable_paths.begin(), plan.readable_paths.end(),
                   ReadablePath{"/.state", true}) == 1);
}

TEST_CASE("without a grant a run has no state, no directory and no variable for it") {
  const auto plan = plan_for(default_with("{}"), native_host(), run_with_state(0));
  CHECK(plan.state_bytes == 0);
  CHECK_FALSE(plan.environment.contains("CHECKSTACK_STATE_DIRECTORY"));
  CHECK_FALSE(has_word(plan.writable_paths, "/.state"));
  CHECK(plan.promise.grants.empty());
}

TEST_CASE("where a state cannot have a size of its own there is none, and the report says so") {
  SECTION("a bubblewrap without sizes") {
    const auto plan = plan_for(default_with("{}"), unprivileged_bwrap_host(), run_with_state());
    CHECK(plan.state_bytes == 0);
    CHECK_FALSE(has_word(plan.wrapper, "/.state"));
    CHECK(plan.promise.grants.empty());
    CHECK(tells_of_state(plan));
  }
  SECTION("the host's own file system") {
    const auto plan =
        plan_for(default_with(R"({"filesystem":{"mode":"off"}})"), native_host(), run_with_state());
    CHECK(plan.state_bytes == 0);
    CHECK_FALSE(plan.environment.contains("CHECKSTACK_STATE_DIRECTORY"));
    CHECK(plan.promise.grants.empty());
    CHECK(tells_of_state(plan));
  }
}
