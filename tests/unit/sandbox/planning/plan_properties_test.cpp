#include "sandbox/launcher/client/make_launch_order.hpp"
#include "unit/sandbox/hosts.hpp"

#include <random>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::sandbox::test;

namespace {

constexpr unsigned seed = 20'261'123;
constexpr int rounds = 5'000;

class Dice {
 public:
  explicit Dice(unsigned from) : random_(from) {}
  bool yes() { return random_() % 2 == 0; }
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return *(values.begin() + random_() % values.size());
  }

 private:
  std::mt19937 random_;
};

std::optional<std::uint64_t> maybe(Dice& dice, std::uint64_t value) {
  return dice.yes() ? std::optional(value) : std::nullopt;
}

Policy random_policy(Dice& dice) {
  Policy policy;
  policy.enabled = dice.pick({true, true, true, false});
  policy.on_unavailable = dice.pick({OnUnavailable::degrade, OnUnavailable::fail});
  policy.resources = {maybe(dice, 60),  maybe(dice, 1U << 29U), maybe(dice, 64),
                      maybe(dice, 256), maybe(dice, 4096),      maybe(dice, 1U << 20U)};
  policy.filesystem.mode = dice.pick(
      {FilesystemMode::off, FilesystemMode::scratch_only, FilesystemMode::scratch_plus_ro});
  policy.network.mode =
      dice.pick({NetworkMode::unrestricted, NetworkMode::deny, NetworkMode::allowlist});
  policy.network.deny_link_local_and_metadata = dice.yes();
  policy.network.allow = dice.pick<std::vector<std::string>>(
      {{}, {"10.0.0.0/8"}, {"::1", "192.0.2.1"}, {"example.com"}, {"1.2.3.4 } accept; #"}});
  policy.privilege.mode = dice.pick({PrivilegeMode::inherit, PrivilegeMode::drop_to_uid});
  policy.privilege.uid = maybe(dice, dice.pick<std::uint64_t>({0, 1001, 1ULL << 40U}));
  policy.privilege.gid = maybe(dice, dice.pick<std::uint64_t>({0, 1002}));
  return policy;
}

HostFacts random_host(Dice& dice) {
  HostFacts facts;
  facts.platform = dice.pick<const char*>({"linux", "linux", "linux", "darwin"});
  facts.euid_is_root = dice.yes();
  facts.has_prlimit = facts.rlimit_native = dice.yes();
  facts.wrapper = dice.pick(
      {Wrapper::none, Wrapper::bwrap, Wrapper::bwrap, Wrapper::nsjail, Wrapper::firejail});
  facts.user_namespaces = facts.user_ns_creatable = dice.yes();
  facts.net_namespaces = facts.user_namespaces && dice.yes();
  facts.net_egress_rootless = dice.yes();
  facts.launcher_drops_privilege = dice.yes();
  facts.launcher_sets_rlimits = dice.yes();
  facts.native_engine = dice.yes();
  if (dice.yes()) {
    facts.net_egress_iface = "eth0";
    if (dice.yes()) facts.net_egress_addressing = MacvlanAddressing{"10.0.0.2", "m", "g"};
  }
  return facts;
}

RunInputs random_run(Dice& dice) {
  RunInputs inputs = run_in(dice.yes() ? std::optional<std::string>("/tmp/run") : std::nullopt);
  if (dice.yes()) inputs.filter_file = "/tmp/run/f";
  if (dice.yes()) inputs.egress_script = "/tmp/run/s";
  if (dice.yes()) inputs.default_identity = Identity{65532, 65532};
  inputs.keeps_heap_limit = dice.yes();
  inputs.engines.clear();
  for (const Engine engine : {Engine::native, Engine::bwrap, Engine::nsjail}) {
    if (dice.yes()) inputs.engines.push_back(engine);
  }
  return inputs;
}

bool allows(const RunInputs& inputs, Engine engine) {
  return std::find(inputs.engines.begin(), inputs.engines.end(), engine) != inputs.engines.end();
}

const EffectiveSandbox& promise_of(const Decision& decision) {
  if (const auto* plan = std::get_if<Plan>(&decision)) return plan->promise;
  return std::get<Refusal>(decision).promise;
}

}  // namespace

TEST_CASE(
    "property: a run is refused if and only if the policy says fail and something is missing") {
  CAPTURE(seed);
  Dice dice(seed);
  for (int round = 0; round < rounds; ++round) {
    const Policy policy = random_policy(dice);
    const auto decision = decision_for(policy, random_host(dice), random_run(dice));
    const bool missing = !promise_of(decision).downgrades.empty();
    const bool fails = policy.enabled && policy.on_unavailable == OnUnavailable::fail;
    if (std::holds_alternative<Refusal>(decision) != (fails && missing)) {
      FAIL("round " << round << ": " << to_json(policy).dump());
    }
  }
}

TEST_CASE("property: no layer is reported enforced without a mechanism or beside a downgrade") {
  CAPTURE(seed);
  Dice dice(seed);
  for (int round = 0; round < rounds; ++round) {
    const Policy policy = random_policy(dice);
    const auto decision = decision_for(policy, random_host(dice), random_run(dice));
    const auto& promise = promise_of(decision);
    CAPTURE(round);
    REQUIRE(promise.layers.size() == 4);
    for (const auto& layer : promise.layers) {
      if (layer.state == LayerState::enforced) {
        REQUIRE_FALSE(layer.mechanism.empty());
        REQUIRE(promise.enforced.holds(layer.layer));
        REQUIRE_FALSE(has_word(layers_of(promise.downgrades), std::string(name_of(layer.layer))));
      }
      if (policy.enabled && layer.required && layer.state != LayerState::enforced) {
        const bool named =
            has_word(layers_of(promise.downgrades), std::string(name_of(layer.layer))) ||
            std::any_of(promise.notes.begin(), promise.notes.end(),
                        [&](const Note& note) { return note.layer == layer.layer; });
        REQUIRE(named);
      }
    }
  }
}

TEST_CASE("property: a script that may be host root is never reported as dropped") {
  CAPTURE(seed);
  Dice dice(seed);
  for (int round = 0; round < rounds; ++round) {
    const HostFacts host = random_host(dice);
    const auto decision = decision_for(random_policy(dice), host, random_run(dice));
    const auto* plan = std::get_if<Plan>(&decision);
    if (plan == nullptr) continue;
    CAPTURE(round);
    if (plan->promise.enforced.privilege) {
      const bool dropped = plan->identity && plan->identity->uid != 0 && plan->identity->gid != 0;
      REQUIRE((!host.euid_is_root || dropped));
    }
    if (has_limit(*plan, Resource::processes)) REQUIRE((!host.euid_is_root || plan->identity));
  }
}

TEST_CASE("property: the fail-closed policy never gets a way out, a host view or root") {
  CAPTURE(seed);
  Dice dice(seed);
  for (int round = 0; round < rounds; ++round) {
    const HostFacts host = random_host(dice);
    auto inputs = random_run(dice);
    inputs.scratch_directory = "/tmp/run";
    const auto decision = build_plan(ResolvedPolicy{}, host, inputs, imagined_host());
    const auto* plan = std::get_if<Plan>(&decision);
    CAPTURE(round);
    if (plan == nullptr) {
      const EnforcedLayers& could = std::get<Refusal>(decision).promise.enforced;
      REQUIRE_FALSE((could.filesystem && could.network && could.privilege));
      continue;
    }
    REQUIRE(plan->promise.enforced.filesystem);
    REQUIRE(plan->promise.enforced.network);
    REQUIRE((!host.euid_is_root || plan->identity));
    REQUIRE_FALSE(plan->nft_text);
    REQUIRE(plan->egress != Egress::slirp4netns);
    REQUIRE(plan->egress != Egress::macvlan);
    const bool wrapper_usable = (host.wrapper == Wrapper::bwrap && allows(inputs, Engine::bwrap)) ||
                                (host.wrapper == Wrapper::nsjail && allows(inputs, Engine::nsjail));
    const bool native_usable = host.native_engine && allows(inputs, Engine::native);
    if (host.platform == "linux" && (native_usable || (host.net_namespaces && wrapper_usable))) {
      REQUIRE(plan->egress == Egress::routeless);
    } else {
      REQUIRE_FALSE(plan->promise.enforced.network);
    }
  }
}

TEST_CASE("property: no foreign text ever reaches a ruleset") {
  CAPTURE(seed);
  Dice dice(seed);
  for (int round = 0; round < rounds; ++round) {
    const auto decision = decision_for(random_policy(dice), random_host(dice), random_run(dice));
    const auto* plan = std::get_if<Plan>(&decision);
    if (plan == nullptr || !plan->nft_text) continue;
    CAPTURE(round);
    REQUIRE(plan->nft_text->find('#') == std::string::npos);
    REQUIRE(plan->nft_text->find("example") == std::string::npos);
  }
}

TEST_CASE("property: what verification expects is what the report promises") {
  CAPTURE(seed);
  Dice dice(seed);
  for (int round = 0; round < rounds; ++round) {
    const auto decision = decision_for(random_policy(dice), random_host(dice), random_run(dice));
    const auto* plan = std::get_if<Plan>(&decision);
    if (plan == nullptr) continue;
    const auto expectation = expectation_of(*plan);
    const auto& policy = plan->promise.requested;
    CAPTURE(round);
    REQUIRE(expectation.own_namespaces == (plan->engine != Engine::none));
    REQUIRE(plan->wrapper.empty() == (plan->engine == Engine::none || plan->native.has_value()));
    REQUIRE(expectation.not_host_root == plan->promise.enforced.privilege);
    if (policy.enabled && policy.filesystem.mode != FilesystemMode::off) {
      REQUIRE(expectation.confined_filesystem == plan->promise.enforced.filesystem);
    }
    if (policy.enabled && policy.network.mode == NetworkMode::deny) {
      REQUIRE(expectation.routeless == plan->promise.enforced.network);
    }
  }
}
