#include "sandbox/planning/upstream_command_lines.hpp"
#include "unit/sandbox/hosts.hpp"

using namespace satellite::sandbox;
using namespace satellite::sandbox::test;
using Words = std::vector<std::string>;

namespace {

const std::string allow_ten = R"("network":{"mode":"allowlist","allow":["10.0.0.0/8"]})";

Policy degrading(const std::string& parts) {
  return default_with(R"({"onUnavailable":"degrade",)" + parts + "}");
}

bool has_downgrade(const Plan& plan, Layer layer, const std::string& word) {
  return std::any_of(plan.promise.downgrades.begin(), plan.promise.downgrades.end(),
                     [&](const Downgrade& downgrade) {
                       return downgrade.layer == layer &&
                              downgrade.reason.find(word) != std::string::npos;
                     });
}

}  // namespace

TEST_CASE("deny and file confinement share one wrapper, with a namespace of its own") {
  const auto plan = plan_for(degrading(R"("network":{"mode":"deny"})"), unprivileged_bwrap_host(),
                             run_in("/tmp/run"));
  CHECK(std::count(plan.wrapper.begin(), plan.wrapper.end(), "bwrap") == 1);
  CHECK(has_word(plan.wrapper, "--unshare-net"));
  CHECK_FALSE(has_word(plan.wrapper, "--share-net"));
  CHECK_FALSE(plan.nft_text);
  CHECK(plan.promise.enforced.network);
  CHECK(plan.promise.enforced.filesystem);
}

TEST_CASE("an unrestricted run keeps the host's network inside its file confinement") {
  const auto plan =
      plan_for(degrading(R"("network":{"mode":"unrestricted","denyLinkLocalAndMetadata":false})"),
               unprivileged_bwrap_host(), run_in("/tmp/run"));
  CHECK(has_word(plan.wrapper, "--share-net"));
  CHECK(plan.egress == Egress::host);
  CHECK(plan.promise.enforced.network);
}

TEST_CASE("an allowlist is enforced by a macvlan uplink with its filter") {
  const auto plan = plan_for(degrading(allow_ten), macvlan_host(), run_with_egress());
  CHECK(has_word(plan.wrapper, "--macvlan_iface"));
  CHECK(has_word(plan.wrapper, "/tmp/run/egress.nft"));
  CHECK(plan.egress == Egress::macvlan);
  REQUIRE(plan.nft_text);
  CHECK(plan.nft_text->find("10.0.0.0/8") != std::string::npos);
  CHECK(plan.promise.enforced.network);
}

TEST_CASE("an allowlist is enforced rootless, limits and command inside the namespace") {
  const auto plan = plan_for(degrading(allow_ten), rootless_egress_host(), run_with_egress());
  CHECK(plan.egress == Egress::slirp4netns);
  CHECK(has_word(plan.wrapper, "--unshare-net"));
  CHECK(plan.promise.enforced.network);
  CHECK(plan.promise.enforced.filesystem);
  const auto argv = upstream_command_line(plan, "/tmp/run/egress.sh");
  CHECK(Words(argv.begin(), argv.begin() + 3) == Words{"sh", "/tmp/run/egress.sh", "prlimit"});
  CHECK(Words(argv.end() - 4, argv.end()) == Words{"--", "sh", "-c", "echo hi"});
}

TEST_CASE("the native engine takes a run with a way out, whoever the launcher is") {
  const bool root = GENERATE(true, false);
  auto host = root ? root_launcher_host() : unprivileged_bwrap_host();
  host.native_engine = host.launcher_sets_rlimits = host.net_egress_rootless = true;
  auto inputs = run_in("/tmp/run");
  inputs.launcher_makes_network = true;
  inputs.default_identity = inputs.agent_identity = Identity{65532, 65532};
  const auto plan = plan_for(degrading(allow_ten), host, inputs);
  CHECK(plan.engine == Engine::native);
  CHECK(plan.egress == Egress::slirp4netns);
  CHECK(plan.promise.enforced.network);
  // Settings of a network that another user namespace owns are not the run's to write.
  const auto writes_settings = [](const Plan& made) {
    const auto& steps = made.native->steps;
    return std::any_of(steps.begin(), steps.end(), [](const FileStep& step) {
      return step.target.find("proc/sys/net/") == 0 && step.kind == FileStepKind::setting;
    });
  };
  CHECK(writes_settings(plan) == root);
  const auto denied = plan_for(degrading(R"("network":{"mode":"deny"})"), host, inputs);
  CHECK(denied.engine == Engine::native);
  CHECK(writes_settings(denied));
}

TEST_CASE("an allowlist that cannot be staged keeps the host's network and says so") {
  auto inputs = run_in("/tmp/run");
  inputs.filter_file = "/tmp/run/egress.nft";
  const auto plan = plan_for(degrading(R"("filesystem":{"mode":"off"},)" + allow_ten),
                             rootless_egress_host(), inputs);
  CHECK(plan.wrapper.empty());
  CHECK(plan.egress == Egress::host);
  CHECK_FALSE(plan.promise.enforced.network);
  CHECK(has_word(layers_of(plan.promise.downgrades), "network"));
}

TEST_CASE("an allowlist without a way out is no blackhole: host network, named") {
  for (const auto& host : {unprivileged_nsjail_host(), unprivileged_bwrap_host()}) {
    const auto plan = plan_for(degrading(allow_ten), host, run_with_egress());
    CHECK_FALSE(has_word(plan.wrapper, "--clone_newnet"));
    CHECK_FALSE(has_word(plan.wrapper, "--unshare-net"));
    CHECK_FALSE(plan.promise.enforced.network);
    CHECK_FALSE(plan.nft_text);
    CHECK(has_downgrade(plan, Layer::network, "blackhole"));
  }
}

TEST_CASE("the default's empty allowlist needs no way out") {
  const auto plan =
      plan_for(degrading(R"("network":{"mode":"allowlist"})"), macvlan_host(), run_with_egress());
  CHECK(has_word(plan.wrapper, "--clone_newnet"));
  CHECK_FALSE(has_word(plan.wrapper, "--macvlan_iface"));
  CHECK_FALSE(plan.nft_text);
  CHECK(plan.promise.enforced.network);
}

TEST_CASE("deny without file confinement still gets a wrapper, with the host visible") {
  const auto plan = plan_for(degrading(R"("filesystem":{"mode":"off"},"network":{"mode":"deny"})"),
                             unprivileged_bwrap_host(), run_in({}));
  CHECK(plan.engine == Engine::bwrap);
  CHECK(has_word(plan.wrapper, "--unshare-net"));
  CHECK(plan.promise.enforced.network);
  CHECK(plan.promise.enforced.filesystem);
}

TEST_CASE("a metadata block that cannot be enforced is named, not pretended") {
  const auto plan =
      plan_for(degrading(R"("filesystem":{"mode":"off"},"network":{"mode":"unrestricted"})"),
               unprivileged_bwrap_host(), run_in({}));
  CHECK_FALSE(plan.promise.enforced.network);
  CHECK(has_downgrade(plan, Layer::network, "metadata"));
}

TEST_CASE("a wrapper whose namespaces the kernel refuses enforces nothing") {
  HostFacts blocked = unprivileged_bwrap_host();
  blocked.user_namespaces = blocked.user_ns_creatable = blocked.net_namespaces = false;
  const auto policy = policy_of(R"({"onUnavailable":"fail","network":{"mode":"deny"}})");
  CHECK(std::holds_alternative<Refusal>(decision_for(policy, blocked, run_in("/tmp/run"))));
  CHECK(std::holds_alternative<Plan>(
      decision_for(policy, unprivileged_bwrap_host(), run_in("/tmp/run"))));
}

TEST_CASE("an unusable allow entry refuses under fail and cuts the network under degrade") {
  const std::string hostile = R"("network":{"mode":"allowlist","allow":["1.2.3.4 } accept; #"]})";
  CHECK(std::holds_alternative<Refusal>(
      decision_for(default_with("{" + hostile + "}"), rootless_egress_host(), run_with_egress())));
  const auto plan = plan_for(degrading(hostile), rootless_egress_host(), run_with_egress());
  CHECK(plan.egress == Egress::routeless);
  CHECK_FALSE(plan.nft_text);
  CHECK_FALSE(plan.promise.enforced.network);
  CHECK(has_downgrade(plan, Layer::network, "network.allow[0]"));
  CHECK(plan.promise.layers[2].state == LayerState::degraded);
}
