#include "sandbox/host/engines.hpp"
#include "sandbox/planning/filesystem_layer.hpp"
#include "sandbox/planning/plan_question.hpp"
#include "sandbox/planning/upstream_command_lines.hpp"
#include "unit/sandbox/hosts.hpp"

#include <algorithm>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::sandbox::test;
using Words = std::vector<std::string>;

namespace {

/// Ours on a host where nsjail is what works.
HostFacts nsjail_host() {
  HostFacts facts = unprivileged_nsjail_host();
  facts.launcher_sets_rlimits = true;
  facts.wrapper_path = "/usr/local/bin/nsjail";
  facts.working_wrappers = {{Wrapper::nsjail, facts.wrapper_path}};
  return facts;
}

RunInputs launched_run() {
  RunInputs inputs = run_in("/tmp/run");
  inputs.launcher_makes_network = true;
  inputs.agent_identity = Identity{65532, 65532};
  return inputs;
}

bool has_note(const EffectiveSandbox& promise, const std::string& part) {
  return std::any_of(promise.notes.begin(), promise.notes.end(),
                     [&](const Note& note) { return note.note.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("nsjail is told to set none of its own limits and gets no option it does not have") {
  const auto plan = plan_for(shipped_default_policy(), nsjail_host(), launched_run());
  CHECK(plan.engine == Engine::nsjail);
  CHECK(plan.wrapper.front() == "/usr/local/bin/nsjail");
  CHECK(
      has_run(plan.wrapper, {"--quiet", "--mode", "o", "--disable_rlimits", "--time_limit", "0"}));
  for (const char* absent : {"--clone_newnet", "--nftables_file", "--macvlan_iface",
                             "--disable_clone_newnet", "--keep_caps"}) {
    CHECK_FALSE(has_word(plan.wrapper, absent));
  }
  CHECK(has_run(plan.wrapper, {"none:/dev/pts:devpts:newinstance,ptmxmode=0666,mode=620,max=64"}));
  CHECK(plan.promise.enforced.filesystem);
  CHECK(plan.promise.enforced.network);
  CHECK(plan.promise.enforced.privilege);
}

TEST_CASE("nsjail shows a sized /tmp, then the scratch directory, and the devices programs open") {
  const auto plan = plan_for(shipped_default_policy(), nsjail_host(), launched_run());
  CHECK(has_run(plan.wrapper, {"--mount", "none:/tmp:tmpfs:size=268435456,mode=1777", "--bindmount",
                               "/tmp/run:/tmp/run"}));
  CHECK(has_word(plan.wrapper, "none:/dev/shm:tmpfs:size=67108864,mode=1777"));
  CHECK(has_run(plan.wrapper, {"--bindmount", "/dev/null:/dev/null"}));
  CHECK(has_run(plan.wrapper, {"--symlink", "/proc/self/fd:/dev/fd"}));
  // What has no option is in a settings file, which must come first: it replaces what stood before.
  CHECK(plan.wrapper.at(1) == "--config");
  CHECK(plan.wrapper.at(2) == "/proc/self/fd/13");
  REQUIRE(plan.wrapper_files.size() == 1);
  const auto& settings = plan.wrapper_files.front();
  CHECK(settings.find("mount { dst: \"/proc\" fstype: \"proc\"") == 0);
  CHECK(settings.find("src: \"/dev/null\" dst: \"/proc/keys\"") != std::string::npos);
  CHECK(settings.find("dst: \"/etc/passwd\" src_content: \"root:x:0:0:root:/:/usr/sbin/nologin"
                      "\\012script:x:65532:65532:") != std::string::npos);
  CHECK(has_word(plan.wrapper, "/usr:/usr"));
  // Our init enters the directory: a missing one is told as what it is.
  CHECK(plan.working_directory == "/tmp/run");
  CHECK_FALSE(has_word(plan.wrapper, "--cwd"));
}

TEST_CASE("a network that the launcher made is kept, and so is the host's") {
  auto host = nsjail_host();
  host.net_egress_rootless = true;
  auto policy = shipped_default_policy();
  policy.network.mode = NetworkMode::allowlist;
  policy.network.allow = {"192.0.2.1"};
  const auto filtered = plan_for(policy, host, launched_run());
  CHECK(filtered.engine == Engine::nsjail);
  CHECK(filtered.egress == Egress::slirp4netns);
  CHECK(filtered.promise.enforced.network);
  CHECK(has_word(filtered.wrapper, "--disable_clone_newnet"));
  policy.network = NetworkPolicy{};
  policy.network.mode = NetworkMode::unrestricted;
  policy.network.deny_link_local_and_metadata = false;
  CHECK(has_word(plan_for(policy, host, launched_run()).wrapper, "--disable_clone_newnet"));
}

TEST_CASE("without file confinement nsjail shows the whole host, writable, and its own processes") {
  const auto policy =
      policy_of(R"({"enabled":true,"filesystem":{"mode":"off"},"network":{"mode":"deny"},)"
                R"("onUnavailable":"degrade"})");
  const auto plan = plan_for(policy, nsjail_host(), launched_run());
  CHECK(has_run(plan.wrapper, {"--rw", "--proc_rw", "--bindmount", "/:/"}));
}

TEST_CASE("a path that nsjail cannot be told refuses the run instead of showing another one") {
  auto inputs = launched_run();
  inputs.scratch_directory = "/srv/a:b/run";
  const auto decision = decision_for(shipped_default_policy(), nsjail_host(), inputs);
  REQUIRE(std::holds_alternative<Refusal>(decision));
  CHECK(refusal_text(std::get<Refusal>(decision).promise.downgrades).find("colon") !=
        std::string::npos);
  inputs.scratch_directory = "/srv/ab/run";
  CHECK(
      std::holds_alternative<Plan>(decision_for(shipped_default_policy(), nsjail_host(), inputs)));
}

TEST_CASE("nsjail is chosen where nothing stronger works, or where it alone may be used") {
  auto everything = unprivileged_bwrap_host();
  everything.native_engine = everything.launcher_sets_rlimits = true;
  everything.wrapper_path = "/usr/bin/bwrap";
  everything.working_wrappers = {{Wrapper::bwrap, "/usr/bin/bwrap"},
                                 {Wrapper::nsjail, "/usr/local/bin/nsjail"}};
  const auto policy = shipped_default_policy();
  const auto chosen = [&](HostFacts host, std::vector<Engine> engines) {
    auto inputs = launched_run();
    inputs.engines = std::move(engines);
    const auto plan = plan_for(policy, host, inputs);
    CHECK(plan.promise.engine == name_of(plan.engine));
    return plan.wrapper.empty() ? std::string("native") : plan.wrapper.front();
  };
  CHECK(chosen(everything, all_engines()) == "native");
  CHECK(chosen(everything, {Engine::bwrap, Engine::nsjail}) == "/usr/bin/bwrap");
  CHECK(chosen(everything, {Engine::nsjail}) == "/usr/local/bin/nsjail");
  CHECK(chosen(nsjail_host(), all_engines()) == "/usr/local/bin/nsjail");
}

TEST_CASE("an engine that works and may not be used is named where a layer is missing for it") {
  auto host = nsjail_host();
  host.native_engine = true;
  auto inputs = launched_run();
  inputs.engines = {Engine::bwrap};
  auto policy = shipped_default_policy();
  policy.on_unavailable = OnUnavailable::degrade;
  const auto plan = plan_for(policy, host, inputs);
  CHECK(plan.engine == Engine::none);
  CHECK(has_note(plan.promise, "native, nsjail"));
  CHECK(has_note(plan.promise, "sandbox.engines"));
  inputs.engines = all_engines();
  CHECK_FALSE(has_note(plan_for(policy, host, inputs).promise, "sandbox.engines"));
}

TEST_CASE("a question about a plan narrows down the engines that the operator lets be used") {
  const auto plan_with = [](const std::string& engines, const std::vector<Engine>& allowed) {
    const auto this_host = [] {
      HostFacts host = nsjail_host();
      host.native_engine = true;
      return host;
    };
    const auto answer = answer_plan_question(
        R"({"policy":{"filesystem":{"mode":"scratch-plus-ro"}})" + engines + "}", this_host, {},
        allowed);
    REQUIRE(answer);
    return nlohmann::json::parse(*answer);
  };
  const std::string nsjail = R"(,"engines":["nsjail"])";
  const auto engine_of = [](const nlohmann::json& answer) {
    return answer.at("sandbox").value("engine", "");
  };
  CHECK(engine_of(plan_with("", all_engines())) == "native");
  CHECK(engine_of(plan_with(nsjail, all_engines())) == "nsjail");
  CHECK(engine_of(plan_with("", {Engine::nsjail})) == "nsjail");
  const auto beyond = plan_with(nsjail, {Engine::native});
  CHECK(beyond.at("sandbox").at("enforced").at("filesystem") == false);
  CHECK(beyond.dump().find("install bubblewrap") == std::string::npos);
}

TEST_CASE("the list of engines takes names in any order and refuses what is none") {
  CHECK(*parse_engines("native,bwrap,nsjail") == all_engines());
  CHECK(*parse_engines("nsjail, native") == std::vector{Engine::native, Engine::nsjail});
  CHECK(*parse_engines("nsjail,nsjail") == std::vector{Engine::nsjail});
  for (const char* wrong : {"", ",", "nsjail,", "bubblewrap", "none", "NSJAIL", "firejail"}) {
    INFO(wrong);
    const auto engines = parse_engines(wrong);
    REQUIRE_FALSE(engines);
    CHECK(engines.error().code == ErrorCode::invalid_input);
    CHECK(engines.error().message.find("native, bwrap, nsjail") != std::string::npos);
  }
}
