#include "sandbox/launcher/client/make_launch_order.hpp"

#include "unit/sandbox/hosts.hpp"

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::sandbox::test;

namespace {

Plan default_plan(std::string script = "echo hi") {
  auto inputs = run_in("/tmp/run");
  inputs.command = {"sh", "-c", std::move(script)};
  inputs.environment = {{"A", "1"}};
  inputs.default_identity = Identity{65532, 65532};
  return plan_for(shipped_default_policy(), root_launcher_host(), std::move(inputs));
}

}  // namespace

TEST_CASE("an order carries the plan and what has to be true of the stopped script") {
  const Plan plan = default_plan();
  const auto order = make_launch_order(plan, {7, Language::shell, "input"});
  REQUIRE(order.has_value());
  CHECK(order->run_number == 7);
  CHECK(order->engine == Engine::bwrap);
  CHECK(order->wrapper == plan.wrapper);
  CHECK(order->command == plan.command);
  CHECK(order->identity == Identity{65532, 65532});
  CHECK(order->standard_input == "input");
  CHECK(order->scratch_directory == "/tmp/run");
  CHECK_FALSE(order->long_script);

  const Expectation& expected = order->expectation;
  CHECK(expected.own_namespaces);
  CHECK(expected.own_network);
  CHECK(expected.routeless);
  CHECK(expected.confined_filesystem);
  CHECK(expected.not_host_root);
  CHECK(expected.identity == Identity{65532, 65532});
  CHECK(expected.resource_settings == plan.resource_settings);
}

TEST_CASE("nothing is expected of a run without a sandbox") {
  const auto plan =
      plan_for(policy_of(R"({"enabled":false})"), root_launcher_host(), run_in("/tmp/run"));
  const auto expected = expectation_of(plan);
  CHECK_FALSE(expected.own_namespaces);
  CHECK_FALSE(expected.own_network);
  CHECK_FALSE(expected.not_host_root);
  CHECK_FALSE(expected.identity);
  CHECK(expected.resource_settings.empty());
}

TEST_CASE("a script that is kept back stands in no command line, however short it is") {
  OrderInputs inputs;
  inputs.keeps_script_back = true;
  Plan plan = default_plan("echo hi");
  plan.command.insert(plan.command.end(), {"zero", "one"});
  const auto order = make_launch_order(plan, std::move(inputs));
  REQUIRE(order.has_value());
  CHECK(order->command == std::vector<std::string>{"sh", "-c", ". /proc/self/fd/3", "zero", "one"});
  CHECK(order->long_script == "exec 3<&-;echo hi");
}

TEST_CASE("a script that fits into one argument goes as one") {
  const auto order = make_launch_order(default_plan(std::string(131'071, ' ')), {});
  REQUIRE(order.has_value());
  CHECK_FALSE(order->long_script);
}

TEST_CASE("a longer script is read from a descriptor that it closes first") {
  const std::string script(131'072, ' ');
  const auto order = make_launch_order(default_plan(script), {});
  REQUIRE(order.has_value());
  CHECK(order->long_script == "exec 3<&-;" + script);
  CHECK(order->command == std::vector<std::string>{"sh", "-c", ". /proc/self/fd/3"});
}

TEST_CASE("what execve would cut off silently is refused") {
  CHECK(make_launch_order(default_plan(std::string("rm -rf /tmp/x\0-safe", 19)), {}).error().code ==
        ErrorCode::invalid_input);
  Plan wrapper = default_plan();
  wrapper.wrapper.push_back(std::string("/x\0--bind", 9));
  CHECK_FALSE(make_launch_order(wrapper, {}).has_value());
  Plan directory = default_plan();
  directory.working_directory = std::string("/x\0y", 4);
  CHECK_FALSE(make_launch_order(directory, {}).has_value());
  Plan other = default_plan();
  other.command = {"bun", std::string(200'000, 'x')};
  CHECK(make_launch_order(other, {}).error().code == ErrorCode::limit_exceeded);
}

TEST_CASE("the heap limit reaches modules and leaves shells alone") {
  const Plan plan = default_plan();
  const auto holds_limit = [](const LaunchOrder& order) {
    return std::any_of(order.environment.begin(), order.environment.end(),
                       [](const auto& entry) { return entry.first == "NODE_OPTIONS"; });
  };
  CHECK(holds_limit(*make_launch_order(plan, {1, Language::module, {}})));
  CHECK_FALSE(holds_limit(*make_launch_order(plan, {1, Language::shell, {}})));
}
