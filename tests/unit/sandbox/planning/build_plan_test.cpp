#include "sandbox/planning/upstream_command_lines.hpp"
#include "unit/sandbox/hosts.hpp"

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::sandbox::test;
using Words = std::vector<std::string>;

namespace {

const std::string host_network = R"("network":{"denyLinkLocalAndMetadata":false})";

std::size_t resource_notes(const Plan& plan, const std::string& word) {
  std::size_t count = 0;
  for (const auto& note : plan.promise.notes) {
    count += note.layer == Layer::resources && note.note.find(word) != std::string::npos ? 1U : 0U;
  }
  return count;
}

}  // namespace

TEST_CASE("a disabled sandbox changes nothing: no denylist, no limits, no identity") {
  auto inputs = run_in({});
  inputs.environment = {{"LD_PRELOAD", "/x.so"}, {"FOO", "bar"}};
  const auto plan = plan_for(policy_of(R"({"enabled":false})"), bare_root_host(), inputs);
  CHECK(upstream_command_line(plan) == Words{"sh", "-c", "echo hi"});
  CHECK(plan.environment.at("LD_PRELOAD") == "/x.so");
  CHECK(plan.environment.at("FOO") == "bar");
  CHECK_FALSE(plan.identity);
  CHECK_FALSE(plan.output_size_max);
  CHECK(plan.dropped_environment.empty());
  CHECK(plan.promise.enforced == EnforcedLayers{});
  for (const auto& layer : plan.promise.layers) CHECK(layer.state == LayerState::not_requested);
}

TEST_CASE("the wrapper sets up the namespaces first, then the limits, then the command") {
  const auto plan = plan_for(default_with("{" + host_network + "}"), unprivileged_bwrap_host(),
                             run_in("/tmp/run"));
  const auto argv = upstream_command_line(plan);
  CHECK(argv.front() == "bwrap");
  const auto limits = std::find(argv.begin(), argv.end(), "prlimit");
  REQUIRE(limits != argv.end());
  CHECK(Words(limits, argv.end()) == Words{"prlimit", "--cpu=60", "--nofile=1024", "--nproc=256",
                                           "--fsize=268435456", "--", "sh", "-c", "echo hi"});
  CHECK(plan.promise.enforced.resources);
  CHECK(plan.output_size_max == ByteCount{5U << 20U});
}

TEST_CASE("memory is never limited by address space, which would kill the runtime at start") {
  const auto plan =
      plan_for(shipped_default_policy(), unprivileged_bwrap_host(), run_in("/tmp/run"));
  for (const auto& word : upstream_command_line(plan)) CHECK_FALSE(word.starts_with("--as"));
  REQUIRE(plan.module_memory_environment);
  CHECK(plan.module_memory_environment->at("NODE_OPTIONS") == "--max-old-space-size=512");
}

TEST_CASE("a heap limit is never below what the runtime needs to start") {
  const auto plan = plan_for(policy_of(R"({"resources":{"memoryBytes":1},)" + host_network + "}"),
                             unprivileged_bwrap_host(), run_in({}));
  CHECK(plan.module_memory_environment->at("NODE_OPTIONS") == "--max-old-space-size=16");
}

TEST_CASE("a host without any primitive still runs the portable subset under degrade") {
  auto inputs = run_in("/tmp/run");
  inputs.environment = {{"LD_PRELOAD", "/x.so"}};
  const auto plan =
      plan_for(default_with(R"({"onUnavailable":"degrade"})"), mac_host(), std::move(inputs));
  CHECK(upstream_command_line(plan) == Words{"sh", "-c", "echo hi"});
  CHECK(plan.output_size_max == ByteCount{5U << 20U});
  CHECK(plan.module_memory_environment);
  CHECK(plan.dropped_environment == Words{"LD_PRELOAD"});
  CHECK_FALSE(plan.environment.contains("LD_PRELOAD"));
  CHECK_FALSE(plan.promise.enforced.resources);
  CHECK(plan.promise.enforced.privilege);
  CHECK(layers_of(plan.promise.downgrades) == Words{"resources", "network", "filesystem"});
}

TEST_CASE("a host that lacks anything the policy asks for refuses under fail") {
  const auto decision = decision_for(shipped_default_policy(), mac_host(), run_in("/tmp/run"));
  REQUIRE(std::holds_alternative<Refusal>(decision));
  const auto& promise = std::get<Refusal>(decision).promise;
  CHECK(layers_of(promise.downgrades) == Words{"resources", "network", "filesystem"});
  CHECK(refusal_text(promise.downgrades).starts_with("sandbox unavailable: resources: "));
}

TEST_CASE("what can be enforced everywhere does not refuse under fail") {
  const auto policy = policy_of(R"({"onUnavailable":"fail","resources":{"maxOutputBytes":1024},)" +
                                host_network + "}");
  CHECK(std::holds_alternative<Plan>(decision_for(policy, mac_host(), run_in({}))));
}

TEST_CASE("the shipped default is enforced in full beside an unprivileged supervisor") {
  const auto plan =
      plan_for(shipped_default_policy(), unprivileged_bwrap_host(), run_in("/tmp/run"));
  CHECK(plan.promise.enforced == EnforcedLayers{true, true, true, true});
  CHECK(plan.promise.downgrades.empty());
  CHECK(plan.egress == Egress::routeless);
}

TEST_CASE("the process limit holds inside a wrapper of an unprivileged supervisor") {
  const auto plan = plan_for(
      policy_of(R"({"resources":{"maxProcesses":128},"filesystem":{"mode":"scratch-plus-ro"},
                    "privilege":{"mode":"drop-to-uid"},)" +
                host_network + "}"),
      unprivileged_bwrap_host(), run_in("/tmp/run"));
  CHECK(has_limit(plan, Resource::processes));
  CHECK(plan.promise.enforced.resources);
  CHECK(resource_notes(plan, "maxProcesses") == 0);
}

TEST_CASE("without a wrapper the process limit is left out with a note that refuses nothing") {
  const auto plan = plan_for(
      policy_of(R"({"onUnavailable":"fail","resources":{"maxProcesses":256,"cpuSeconds":10},)" +
                host_network + "}"),
      unprivileged_bwrap_host(), run_in({}));
  CHECK_FALSE(has_limit(plan, Resource::processes));
  CHECK(has_limit(plan, Resource::cpu_seconds));
  CHECK(resource_notes(plan, "maxProcesses") == 1);
  CHECK(plan.promise.downgrades.empty());
}

TEST_CASE("a root supervisor without a drop cannot limit processes and says so") {
  const auto plan = plan_for(
      policy_of(R"({"resources":{"maxProcesses":256,"cpuSeconds":10},)" + host_network + "}"),
      bare_root_host(), run_in({}));
  CHECK_FALSE(has_limit(plan, Resource::processes));
  CHECK(layers_of(plan.promise.downgrades) == Words{"privilege", "resources"});
}

TEST_CASE("a shell's memory is never reported as limited by us") {
  const auto policy = policy_of(
      R"({"onUnavailable":"fail","resources":{"memoryBytes":536870912},)" + host_network + "}");
  auto shell = run_in({});
  const auto plan = plan_for(policy, unprivileged_bwrap_host(), shell);
  CHECK(resource_notes(plan, "memoryBytes") == 1);
  CHECK(plan.promise.downgrades.empty());
  CHECK_FALSE(plan.promise.enforced.resources);
  CHECK(plan.promise.layers[0].state == LayerState::absent);

  auto module_run = run_in({});
  module_run.keeps_heap_limit = true;
  const auto module_plan = plan_for(policy, unprivileged_bwrap_host(), module_run);
  CHECK(resource_notes(module_plan, "memoryBytes") == 0);
  CHECK(module_plan.promise.enforced.resources);
}

TEST_CASE("no note about memory without a memory limit") {
  const auto plan =
      plan_for(policy_of(R"({"resources":{"maxOutputBytes":1024},)" + host_network + "}"),
               unprivileged_bwrap_host(), run_in({}));
  CHECK(plan.promise.notes.empty());
}

TEST_CASE("TMPDIR points to the fresh /tmp of a confined script, and only there") {
  auto inputs = run_in("/tmp/run");
  inputs.base_environment["TMPDIR"] = "/host/tmp";
  const auto confined =
      plan_for(policy_of(R"({"filesystem":{"mode":"scratch-only"},)" + host_network + "}"),
               unprivileged_bwrap_host(), inputs);
  CHECK(confined.environment.at("TMPDIR") == "/tmp");
  const auto open =
      plan_for(policy_of("{" + host_network + "}"), unprivileged_bwrap_host(), inputs);
  CHECK(open.environment.at("TMPDIR") == "/host/tmp");
}

TEST_CASE("a confined script does not learn the agent's home directory") {
  auto inputs = run_in("/tmp/run");
  const auto plan = plan_for(shipped_default_policy(), unprivileged_bwrap_host(), inputs);
  CHECK(plan.environment.at("HOME") == "/tmp/run");
  inputs.environment = {{"HOME", "/srv/app"}};
  const auto asked = plan_for(shipped_default_policy(), unprivileged_bwrap_host(), inputs);
  CHECK(asked.environment.at("HOME") == "/srv/app");
}

TEST_CASE("a working directory is entered inside the sandbox, relative to the scratch directory") {
  auto inputs = run_in("/tmp/run");
  const auto directory_of = [](const Plan& plan) {
    const auto flag = std::find(plan.wrapper.begin(), plan.wrapper.end(), "--chdir");
    return flag == plan.wrapper.end() ? std::string() : *(flag + 1);
  };
  CHECK(directory_of(plan_for(shipped_default_policy(), unprivileged_bwrap_host(), inputs)) ==
        "/tmp/run");
  inputs.working_directory = "/usr/share";
  const auto plan = plan_for(shipped_default_policy(), unprivileged_bwrap_host(), inputs);
  CHECK(directory_of(plan) == "/usr/share");
  CHECK_FALSE(plan.working_directory);
  inputs.working_directory = "sub";
  CHECK(directory_of(plan_for(shipped_default_policy(), unprivileged_bwrap_host(), inputs)) ==
        "/tmp/run/sub");
  const auto open =
      plan_for(policy_of("{" + host_network + "}"), unprivileged_bwrap_host(), inputs);
  CHECK(open.working_directory == "/tmp/run/sub");
}

TEST_CASE("an engine that may not be used counts as not installed") {
  auto inputs = run_in("/tmp/run");
  inputs.engines = {};
  CHECK(std::holds_alternative<Refusal>(
      decision_for(shipped_default_policy(), unprivileged_bwrap_host(), inputs)));
  inputs.engines = {Engine::bwrap};
  CHECK(std::holds_alternative<Refusal>(
      decision_for(shipped_default_policy(), unprivileged_nsjail_host(), inputs)));
  CHECK(std::holds_alternative<Plan>(
      decision_for(shipped_default_policy(), unprivileged_bwrap_host(), inputs)));
}

TEST_CASE("the fallback policy refuses what sees the host's files or network") {
  for (HostFacts host : {HostFacts{}, mac_host(), bare_root_host()}) {
    const auto decision = build_plan({}, host, run_in("/tmp/run"), imagined_host());
    const auto* refusal = std::get_if<Refusal>(&decision);
    REQUIRE(refusal != nullptr);
    CHECK(has_word(layers_of(refusal->promise.downgrades), "filesystem"));
    CHECK(has_word(layers_of(refusal->promise.downgrades), "network"));
  }
  // Positive control: the same policy, chosen by somebody, degrades there.
  CHECK(std::holds_alternative<Plan>(
      decision_for(fail_closed_policy(), HostFacts{}, run_in("/tmp/run"))));
}

TEST_CASE("the fallback policy shows in the report and refuses nothing by itself") {
  const ResolvedPolicy fallback;
  auto decision =
      build_plan(fallback, unprivileged_bwrap_host(), run_in("/tmp/run"), imagined_host());
  REQUIRE(std::holds_alternative<Plan>(decision));
  const auto& promise = std::get<Plan>(decision).promise;
  CHECK(promise.enforced == EnforcedLayers{true, true, true, true});
  REQUIRE(promise.downgrades.size() == 1);
  CHECK(promise.downgrades[0].reason == fail_closed_reason);

  const ResolvedPolicy strict{shipped_default_policy(), true};
  decision = build_plan(strict, unprivileged_bwrap_host(), run_in("/tmp/run"), imagined_host());
  CHECK(std::holds_alternative<Plan>(decision));
}
