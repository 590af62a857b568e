// What holds for every pair of policies: the stricter of two is never looser than either, and the
// operator's word never loosens. "Looser" is measured by what a run could do, not by the fields.
#include "sandbox/planning/operators_word.hpp"

#include "sandbox/policy/address_block.hpp"
#include "unit/sandbox/hosts.hpp"

#include <algorithm>
#include <array>
#include <random>

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::sandbox::test;

namespace {

class Policies {
 public:
  Policy next() {
    Policy policy;
    policy.enabled = pick({true, true, true, true, false});
    policy.on_unavailable = pick({OnUnavailable::degrade, OnUnavailable::fail});
    policy.resources = {number(), number(), number(), number(), number(), number()};
    policy.filesystem.mode =
        pick({FilesystemMode::off, FilesystemMode::scratch_only, FilesystemMode::scratch_plus_ro});
    policy.filesystem.scratch_bytes = number();
    policy.network.mode =
        pick({NetworkMode::unrestricted, NetworkMode::deny, NetworkMode::allowlist});
    policy.network.deny_link_local_and_metadata = pick({true, false});
    for (const char* entry : {"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "192.0.2.0/24", "0.0.0.0/0",
                              "2001:db8::/32", "::/0", "10.0.0.1/8"}) {
      if (random_() % 4 == 0) policy.network.allow.emplace_back(entry);
    }
    policy.privilege.mode = pick({PrivilegeMode::inherit, PrivilegeMode::drop_to_uid});
    policy.privilege.uid = pick<std::optional<std::uint64_t>>({{}, {}, 0, 1001, 1002});
    policy.privilege.gid = pick<std::optional<std::uint64_t>>({{}, {}, 42, 1001, 1002});
    return policy;
  }

 private:
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return *(values.begin() + random_() % values.size());
  }
  std::optional<std::uint64_t> number() {
    return pick<std::optional<std::uint64_t>>({{}, 1, 60, 3600});
  }
  std::mt19937 random_{20'261'128};
};

constexpr std::array places{"10.1.2.3",    "10.1.9.9",     "10.9.9.9",
                            "192.0.2.7",   "198.51.100.1", "169.254.169.254",
                            "2001:db8::1", "2001:db9::1",  "fe80::1"};

/// Whether a packet to this place leaves a run under the policy, by the meaning of its words.
bool reaches(const Policy& policy, const std::string& place) {
  if (!policy.enabled) return true;
  const auto address = *parse_address_block(place);
  const auto within = [&](const char* block) {
    return contains(*parse_address_block(block), address);
  };
  const bool metadata = within("169.254.0.0/16") || within("fe80::/10") || within("fc00::/7");
  const NetworkPolicy& network = policy.network;
  if (network.deny_link_local_and_metadata && metadata) return false;
  if (network.mode != NetworkMode::allowlist) return network.mode == NetworkMode::unrestricted;
  bool listed = false;
  for (const auto& entry : network.allow) {
    const auto block = parse_address_block(entry);
    if (!block) return false;
    listed = listed || contains(*block, address);
  }
  return listed;
}

std::uint64_t bound(const Policy& policy, const std::optional<std::uint64_t>& limit) {
  return policy.enabled && limit ? *limit : ~std::uint64_t{0};
}

int confinement(const Policy& policy) {
  if (!policy.enabled || policy.filesystem.mode == FilesystemMode::off) return 0;
  return policy.filesystem.mode == FilesystemMode::scratch_plus_ro ? 1 : 2;
}

bool drops(const Policy& policy) {
  return policy.enabled && policy.privilege.mode == PrivilegeMode::drop_to_uid;
}

bool fails(const Policy& policy) {
  return policy.enabled && policy.on_unavailable == OnUnavailable::fail;
}

/// uid and gid that a run gets because the policy names them.
std::optional<std::pair<std::uint64_t, std::uint64_t>> named(const Policy& policy) {
  if (!drops(policy) || !policy.privilege.uid) return std::nullopt;
  return std::pair{*policy.privilege.uid, policy.privilege.gid.value_or(*policy.privilege.uid)};
}

bool no_looser(const Policy& tight, const Policy& than) {
  const ResourceLimits &a = tight.resources, &b = than.resources;
  const auto kept = [&](const auto& now, const auto& before) {
    return bound(tight, now) <= bound(than, before);
  };
  const bool limits = kept(a.cpu_seconds, b.cpu_seconds) && kept(a.memory_bytes, b.memory_bytes) &&
                      kept(a.max_open_files, b.max_open_files) &&
                      kept(a.max_processes, b.max_processes) &&
                      kept(a.max_output_bytes, b.max_output_bytes) &&
                      kept(a.max_file_size_bytes, b.max_file_size_bytes) &&
                      kept(tight.filesystem.scratch_bytes, than.filesystem.scratch_bytes);
  const bool network = std::all_of(places.begin(), places.end(), [&](const char* place) {
    return !reaches(tight, place) || reaches(than, place);
  });
  const bool identity = !named(tight) || !named(than) || named(tight) == named(than);
  return limits && network && identity && confinement(tight) >= confinement(than) &&
         drops(tight) >= drops(than) && fails(tight) >= fails(than);
}

}  // namespace

TEST_CASE("property: the stricter of two policies is never looser than either of them") {
  Policies policies;
  for (int round = 0; round < 10'000; ++round) {
    const Policy a = policies.next(), b = policies.next();
    const Policy both = stricter_of(a, b);
    const Policy turned = stricter_of(b, a);
    CAPTURE(round);
    REQUIRE(no_looser(both, a));
    REQUIRE(no_looser(both, b));
    // Commutative and idempotent in what is permitted.
    REQUIRE(no_looser(both, turned));
    REQUIRE(no_looser(turned, both));
    REQUIRE(named(both) == named(turned));
    REQUIRE(no_looser(stricter_of(a, a), a));
    REQUIRE(no_looser(a, stricter_of(a, a)));
    REQUIRE(named(stricter_of(a, a)) == named(a));
  }
}

TEST_CASE("property: the operator's word never loosens, and no root satellite starts root") {
  Policies policies;
  std::mt19937 random(7);
  const HostFacts host = root_launcher_host();
  for (int round = 0; round < 5'000; ++round) {
    const Policy outside = policies.next();
    OperatorsWord word;
    word.supervisor_is_root = true;
    word.identity = {65532, 65532};
    if (random() % 2 == 0) word.allow_unconfined = random() % 2 == 0;
    if (random() % 2 == 0) {
      word.ceiling = policies.next();
      word.ceiling->enabled = true;
      word.ceiling->privilege.uid = word.ceiling->privilege.gid = std::nullopt;
    }
    const auto resolved = apply_operators_word({outside, false}, word);
    CAPTURE(round);
    if (word.ceiling) REQUIRE(no_looser(resolved.policy, *word.ceiling));
    REQUIRE(no_looser(resolved.policy, outside));
    REQUIRE(resolved.policy.enabled);
    // What changed is told.
    const bool permits_the_same =
        no_looser(outside, resolved.policy) && named(outside) == named(resolved.policy);
    REQUIRE((permits_the_same || !resolved.remarks.empty()));
    auto inputs = run_in("/tmp/run");
    inputs.default_identity = word.identity;
    const auto decision = build_plan(resolved, host, inputs, imagined_host());
    if (const auto* plan = std::get_if<Plan>(&decision)) {
      REQUIRE(plan->identity == word.identity);
    }
    const auto again = apply_operators_word(resolved, word);
    REQUIRE(no_looser(again.policy, resolved.policy));
    REQUIRE(no_looser(resolved.policy, again.policy));
  }
}
