#include "sandbox/planning/identity_plan.hpp"
#include "unit/sandbox/hosts.hpp"

#include <algorithm>

using namespace satellite::sandbox;
using namespace satellite::sandbox::test;
using Words = std::vector<std::string>;

namespace {

Policy dropping(const std::string& target, const std::string& more = "") {
  return default_with(R"({"onUnavailable":"degrade",)" + more +
                      R"("privilege":{"mode":"drop-to-uid")" + target + "}}");
}

const std::string no_wrapper =
    R"("filesystem":{"mode":"off"},"network":{"mode":"unrestricted",
       "denyLinkLocalAndMetadata":false},)";

RunInputs run_with_default_identity() {
  auto inputs = run_in("/tmp/run");
  inputs.default_identity = Identity{65532, 65533};
  return inputs;
}

bool admits_shared_count(const Plan& plan) {
  const auto& notes = plan.promise.notes;
  return std::any_of(notes.begin(), notes.end(), [](const Note& note) {
    return note.note.find("counts all runs of uid") != std::string::npos;
  });
}

bool has_privilege_downgrade(const Plan& plan) {
  return has_word(layers_of(plan.promise.downgrades), "privilege");
}

}  // namespace

TEST_CASE("an unprivileged supervisor enforces the layer by inheritance, wrapper or not") {
  for (const auto& more : {std::string(), no_wrapper}) {
    const auto plan = plan_for(dropping(R"(,"uid":65532,"gid":65532)", more),
                               unprivileged_bwrap_host(), run_in("/tmp/run"));
    CHECK(plan.promise.enforced.privilege);
    CHECK_FALSE(plan.identity);
    CHECK_FALSE(has_word(plan.wrapper, "--uid"));
    CHECK_FALSE(has_privilege_downgrade(plan));
  }
}

TEST_CASE("a uid on a root supervisor's wrapper is no drop, and the report says so") {
  const auto plan =
      plan_for(dropping(R"(,"uid":1001,"gid":1002)"), root_bwrap_host(), run_in("/tmp/run"));
  CHECK(has_word(plan.wrapper, "--uid"));
  CHECK_FALSE(plan.promise.enforced.privilege);
  CHECK(has_privilege_downgrade(plan));
  CHECK_FALSE(has_limit(plan, Resource::processes));
  CHECK(std::holds_alternative<Refusal>(decision_for(default_with(R"({"privilege":{"uid":1001}})"),
                                                     root_bwrap_host(), run_in("/tmp/run"))));
}

TEST_CASE("a root supervisor without a wrapper cannot drop and says so") {
  const auto plan = plan_for(dropping(R"(,"uid":1001)", no_wrapper), root_bwrap_host(), run_in({}));
  CHECK_FALSE(plan.promise.enforced.privilege);
  CHECK(has_privilege_downgrade(plan));
}

TEST_CASE("the launcher drops for real, with a wrapper and without") {
  for (const auto& more : {std::string(), no_wrapper}) {
    const auto plan = plan_for(dropping(R"(,"uid":1001,"gid":1002)", more), root_launcher_host(),
                               run_in("/tmp/run"));
    CHECK(plan.identity == Identity{1001, 1002});
    CHECK(plan.promise.enforced.privilege);
    CHECK(plan.promise.downgrades.empty());
    CHECK_FALSE(has_word(plan.wrapper, "--uid"));
    CHECK(has_limit(plan, Resource::processes));
  }
}

TEST_CASE("a uid without a gid drops to the group of the same number, never to root's") {
  const auto plan =
      plan_for(dropping(R"(,"uid":1001)"), root_launcher_host(), run_with_default_identity());
  CHECK(plan.identity == Identity{1001, 1001});
}

TEST_CASE("the agent's own identity fills a missing uid") {
  const auto plan = plan_for(dropping(""), root_launcher_host(), run_with_default_identity());
  CHECK(plan.identity == Identity{65532, 65533});
  CHECK(plan.promise.enforced.privilege);
  CHECK(plan.promise.notes.size() == 1);  // memory only
}

TEST_CASE("the shipped default works out of the box under a root launcher") {
  const auto plan =
      plan_for(shipped_default_policy(), root_launcher_host(), run_with_default_identity());
  CHECK(plan.promise.enforced == EnforcedLayers{true, true, true, true});
  CHECK(plan.identity);
  CHECK(plan.environment.at("HOME") == "/tmp/run");
}

TEST_CASE("dropping to root or to no id at all is no drop") {
  const std::string target = GENERATE(as<std::string>(), R"(,"uid":0)", R"(,"uid":0,"gid":0)",
                                      R"(,"uid":4294967295)", R"(,"uid":4294967296)");
  CAPTURE(target);
  const auto helpless = plan_for(dropping(target), root_launcher_host(), run_in("/tmp/run"));
  CHECK_FALSE(helpless.promise.enforced.privilege);
  CHECK(has_privilege_downgrade(helpless));
  CHECK_FALSE(helpless.identity);

  const auto replaced =
      plan_for(dropping(target), root_launcher_host(), run_with_default_identity());
  CHECK(replaced.identity == Identity{65532, 65533});
  CHECK(replaced.promise.enforced.privilege);
  CHECK(replaced.promise.notes[0].layer == Layer::privilege);
}

TEST_CASE("a run with an identity of its own takes it, and its processes count for it alone") {
  auto inputs = run_with_default_identity();
  const auto shared = plan_for(dropping("", no_wrapper), root_launcher_host(), inputs);
  CHECK_FALSE(shared.identity_is_own);
  CHECK(admits_shared_count(shared));
  inputs.own_identity = OwnIdentity{{200'000, 200'000}};
  inputs.has_identity_range = true;
  const std::string target = GENERATE(as<std::string>(), "", R"(,"uid":0)");
  const auto own = plan_for(dropping(target, no_wrapper), root_launcher_host(), inputs);
  CHECK(own.identity == Identity{200'000, 200'000});
  CHECK(own.identity_is_own);
  CHECK(own.promise.enforced.privilege);
  CHECK(has_limit(own, Resource::processes));
  CHECK_FALSE(admits_shared_count(own));
}

TEST_CASE("a uid that the policy names goes before the range, and the report says who shares it") {
  auto inputs = run_with_default_identity();
  inputs.has_identity_range = true;
  const auto plan = plan_for(dropping(R"(,"uid":1001)", no_wrapper), root_launcher_host(), inputs);
  CHECK(plan.identity == Identity{1001, 1001});
  CHECK_FALSE(plan.identity_is_own);
  CHECK(admits_shared_count(plan));
  REQUIRE_FALSE(plan.promise.notes.empty());
  CHECK(plan.promise.notes[0].layer == Layer::privilege);
  CHECK(plan.promise.notes[0].note.find("sandbox.uid_range") != std::string::npos);
  inputs.has_identity_range = false;
  const auto without =
      plan_for(dropping(R"(,"uid":1001)", no_wrapper), root_launcher_host(), inputs);
  CHECK(without.promise.notes[0].layer != Layer::privilege);
}

TEST_CASE("an own identity is for runs that drop and whose policy names nobody") {
  HostFacts root = root_launcher_host();
  const HostView nothing;
  CHECK(own_ids_of(dropping(""), root, nothing) == OwnIds::of_script);
  CHECK(own_ids_of(dropping(R"(,"uid":0)"), root, nothing) == OwnIds::of_script);
  HostView view;
  view.processes = true;
  root.native_engine = true;
  CHECK(own_ids_of(dropping(""), root, view) == OwnIds::of_script_and_init);
  root.keeps_signals = true;
  CHECK(own_ids_of(dropping(""), root, view) == OwnIds::of_script);
  root.keeps_signals = false;
  for (const HostView& any : {nothing, view}) {
    CHECK(own_ids_of(dropping(R"(,"uid":1001)"), root, any) == OwnIds::none);
    CHECK(own_ids_of(default_with(R"({"privilege":{"mode":"inherit"}})"), root, any) ==
          OwnIds::none);
    CHECK(own_ids_of(policy_of(R"({"enabled":false})"), root, any) == OwnIds::none);
    CHECK(own_ids_of(dropping(""), unprivileged_bwrap_host(), any) == OwnIds::none);
  }
}

TEST_CASE("root's group is never the script's") {
  const auto plan =
      plan_for(dropping(R"(,"uid":1001,"gid":0)"), root_launcher_host(), run_in("/tmp/run"));
  CHECK(plan.identity == Identity{1001, 1001});
  CHECK(plan.promise.notes[0].note.find("gid 0") != std::string::npos);
}

TEST_CASE("a default identity that is root itself is not used") {
  auto inputs = run_in("/tmp/run");
  inputs.default_identity = Identity{0, 65532};
  const auto plan = plan_for(dropping(""), root_launcher_host(), inputs);
  CHECK_FALSE(plan.identity);
  CHECK(has_privilege_downgrade(plan));
}

TEST_CASE("inherit under a root supervisor is host root, and is named") {
  const auto policy = default_with(R"({"privilege":{"mode":"inherit"}})");
  CHECK(std::holds_alternative<Refusal>(
      decision_for(policy, root_launcher_host(), run_with_default_identity())));
  CHECK(plan_for(policy, unprivileged_bwrap_host(), run_in("/tmp/run")).promise.enforced.privilege);
}
