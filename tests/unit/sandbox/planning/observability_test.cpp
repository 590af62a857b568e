#include "sandbox/planning/observability.hpp"

#include "unit/sandbox/hosts.hpp"

using namespace satellite::sandbox;
using namespace satellite::sandbox::test;

TEST_CASE("the start line tells what the host has and what the policy will get there") {
  const auto line = startup_capabilities({shipped_default_policy(), false}, mac_host(), {});
  CHECK(line["enabled"] == true);
  CHECK(line["capabilities"]["platform"] == "darwin");
  CHECK(line["capabilities"]["wrapper"].is_null());
  CHECK(line["enforced"]["filesystem"] == false);
  // The policy says fail and would refuse; the line explains what is missing instead.
  CHECK(line["downgrades"].size() == 3);
}

TEST_CASE("the start line of a ready host reports every layer") {
  const auto line = startup_capabilities({shipped_default_policy(), false}, root_launcher_host(),
                                         Identity{65532, 65532});
  for (const char* layer : {"resources", "filesystem", "network", "privilege"}) {
    CHECK(line["enforced"][layer] == true);
  }
  CHECK(line["downgrades"].empty());
}

TEST_CASE("a disabled sandbox says so at start") {
  const auto line =
      startup_capabilities({policy_of(R"({"enabled":false})"), false}, root_launcher_host(), {});
  CHECK(line["enabled"] == false);
  CHECK(line["enforced"]["network"] == false);
}

TEST_CASE("a way out that was not tried yet is not told as missing") {
  HostFacts host = root_launcher_host();
  host.net_egress_iface.reset();
  host.net_egress_rootless = false;
  const ResolvedPolicy policy{
      policy_of(R"({"network":{"mode":"allowlist","allow":["10.0.0.0/8"]}})"), false};
  const auto tried = startup_capabilities(policy, host, Identity{65532, 65532});
  CHECK(tried["downgrades"].dump().find("\"network\"") != std::string::npos);
  host.egress_untried = true;
  const auto untried = startup_capabilities(policy, host, Identity{65532, 65532});
  CHECK(untried["downgrades"].dump().find("\"network\"") == std::string::npos);
  CHECK(untried["notes"].dump().find("not tried yet") != std::string::npos);
}

TEST_CASE("a fault of the network that is known at start is told, whatever was not tried") {
  HostFacts host = root_launcher_host();
  host.net_egress_iface.reset();
  host.net_egress_rootless = false;
  host.egress_untried = true;
  const auto told = [](const ResolvedPolicy& policy, const HostFacts& facts) {
    const auto line = startup_capabilities(policy, facts, Identity{65532, 65532});
    CHECK(line["notes"].dump().find("not tried yet") == std::string::npos);
    return line["downgrades"].dump();
  };
  const ResolvedPolicy broken{
      policy_of(R"({"network":{"mode":"allowlist","allow":["10.0.0.1/8"]}})"), false};
  CHECK(told(broken, host).find("10.0.0.1/8") != std::string::npos);
  const ResolvedPolicy sound{
      policy_of(R"({"network":{"mode":"allowlist","allow":["10.0.0.0/8"]}})"), false};
  host.native_engine = false;
  host.wrapper = Wrapper::none;
  CHECK(told(sound, host).find("fresh network namespace") != std::string::npos);
}

TEST_CASE("the start line plans as a run is planned: no size is missing that a run has") {
  HostFacts host = root_launcher_host();
  host.wrapper_sizes_memory = host.net_egress_rootless = true;
  host.net_egress_iface.reset();
  const ResolvedPolicy policy{
      policy_of(R"({"filesystem":{"mode":"scratch-plus-ro","scratchBytes":1048576},
        "privilege":{"mode":"drop-to-uid"},
        "network":{"mode":"allowlist","allow":["10.0.0.0/8"]}})"),
      false};
  const auto line = startup_capabilities(policy, host, Identity{65532, 65532});
  CHECK(line["downgrades"].empty());
  CHECK(line["notes"].dump().find("scratchBytes") == std::string::npos);
  host.wrapper_sizes_memory = false;
  const auto older = startup_capabilities(policy, host, Identity{65532, 65532});
  CHECK(older["notes"].dump().find("scratchBytes does not limit") != std::string::npos);
}

TEST_CASE("where sandbox.engines forbids an engine nobody is told to install it") {
  HostFacts host = root_launcher_host();
  host.native_engine = false;
  host.wrapper = Wrapper::none;
  const ResolvedPolicy policy{shipped_default_policy(), false};
  const auto advice = [&](const std::vector<Engine>& engines) {
    const auto line = startup_capabilities(policy, host, Identity{65532, 65532}, {}, engines);
    return line["downgrades"].dump();
  };
  CHECK(advice(all_engines()).find("install bubblewrap or nsjail") != std::string::npos);
  const auto only_native = advice({Engine::native});
  INFO(only_native);
  CHECK(only_native.find("install bubblewrap") == std::string::npos);
  CHECK(only_native.find("sandbox.engines allows only native") != std::string::npos);
}

TEST_CASE("a refused run is not said to have the host's network, a degraded one is") {
  HostFacts host = root_launcher_host();
  host.native_engine = false;
  host.wrapper = Wrapper::none;
  const std::string words = "the script has the host's network";
  for (const bool refuses : {true, false}) {
    auto policy = policy_of(R"({"network":{"mode":"deny"},"privilege":{"mode":"inherit"}})");
    policy.on_unavailable = refuses ? OnUnavailable::fail : OnUnavailable::degrade;
    RunInputs inputs;
    inputs.command = {"true"};
    const HostPaths nothing{[](const std::string&) { return false; },
                            [](const std::string& path) { return std::optional(path); }};
    const auto decision = build_plan({policy, false}, host, std::move(inputs), nothing);
    const auto* refusal = std::get_if<Refusal>(&decision);
    CHECK((refusal != nullptr) == refuses);
    const auto& promise = refusal ? refusal->promise : std::get<Plan>(decision).promise;
    CHECK((to_json(promise).dump().find(words) != std::string::npos) == !refuses);
  }
}

TEST_CASE("a degraded run is warned about, each layer once with all its reasons") {
  EffectiveSandbox report;
  report.downgrades = {
      {Layer::network, "first"}, {Layer::resources, "second"}, {Layer::network, "third"}};
  const auto warning = downgrade_warning(report);
  REQUIRE(warning);
  CHECK(warning->text == "script sandbox degraded: network, resources not fully enforced on linux");
  REQUIRE(warning->fields.size() == 2);
  CHECK(warning->fields[0].second == "first; third");
}

TEST_CASE("notes are told apart from downgrades") {
  EffectiveSandbox report;
  report.notes = {{Layer::resources, "memory"}};
  CHECK_FALSE(downgrade_warning(report));
  CHECK(run_notes(report)->text == "script sandbox notes (resources) on linux");
}

TEST_CASE("a run without downgrades and notes logs nothing") {
  CHECK_FALSE(downgrade_warning({}));
  CHECK_FALSE(run_notes({}));
}
