#include "sandbox/planning/operators_word.hpp"

#include "sandbox/policy/address_block.hpp"
#include "unit/sandbox/hosts.hpp"

using namespace satellite;
using namespace satellite::sandbox;
using namespace satellite::sandbox::test;

namespace {

OperatorsWord root_word() {
  OperatorsWord word;
  word.supervisor_is_root = true;
  word.identity = {65532, 65532};
  return word;
}

OperatorsWord user_word() {
  OperatorsWord word;
  word.identity = {65532, 65532};
  return word;
}

Policy ceiling_of(const std::string& text) {
  auto ceiling = parse_ceiling(text);
  INFO(text);
  REQUIRE(ceiling.has_value());
  return *ceiling;
}

ResolvedPolicy held(const std::string& policy, const OperatorsWord& word) {
  return apply_operators_word({policy_of(policy), false}, word);
}

std::string remarks_of(const ResolvedPolicy& resolved) {
  std::string text;
  for (const auto& remark : resolved.remarks) {
    CHECK(remark.note.rfind("restricted by the operator: ", 0) == 0);
    text += remark.note + "\n";
  }
  return text;
}

bool mentions(const std::string& text, const std::string& words) {
  INFO(text);
  return text.find(words) != std::string::npos;
}

constexpr const char* harmless = R"({"onUnavailable":"fail",
  "filesystem":{"mode":"scratch-plus-ro"},"privilege":{"mode":"drop-to-uid"}})";

}  // namespace

TEST_CASE("a policy that asks for less than the operator permits stays as it is") {
  for (const OperatorsWord& word : {root_word(), user_word()}) {
    const auto resolved = held(harmless, word);
    CHECK(resolved.policy == policy_of(harmless));
    CHECK(resolved.remarks.empty());
  }
}

TEST_CASE("under root no policy leaves a script unconfined or root") {
  const auto [policy, said] = GENERATE(table<std::string, std::string>(
      {{R"({"enabled":false})", "enabled: false is not followed"},
       {"{}", "filesystem.mode off became scratch-plus-ro"},
       {R"({"privilege":{"mode":"inherit"},"onUnavailable":"degrade"})",
        "privilege.mode inherit became drop-to-uid"},
       {R"({"onUnavailable":"fail","filesystem":{"mode":"off"},"network":{"mode":"deny"},
            "privilege":{"mode":"drop-to-uid","uid":65532,"gid":42}})",
        "privilege.uid 65532 with privilege.gid 42 gives way"}}));
  const auto resolved = held(policy, root_word());
  CHECK(mentions(remarks_of(resolved), said));
  CHECK(resolved.policy.enabled);
  CHECK(resolved.policy.filesystem.mode == FilesystemMode::scratch_plus_ro);
  CHECK(resolved.policy.privilege.mode == PrivilegeMode::drop_to_uid);
  CHECK(resolved.must_hold.filesystem);
  CHECK(resolved.must_hold.privilege);
  auto inputs = run_in("/tmp/run");
  inputs.default_identity = Identity{65532, 65532};
  const auto decision = build_plan(resolved, root_launcher_host(), inputs, imagined_host());
  if (const auto* plan = std::get_if<Plan>(&decision)) {
    CHECK(plan->identity == Identity{65532, 65532});
    CHECK(plan->engine != Engine::none);
    CHECK(plan->promise.notes.size() >= resolved.remarks.size());
  }
  // Where nothing can confine it, it is refused although the policy says `degrade`.
  CHECK(std::holds_alternative<Refusal>(
      build_plan(resolved, bare_root_host(), inputs, imagined_host())));
}

TEST_CASE("an unprivileged satellite follows a policy that switches the sandbox off") {
  CHECK(held(R"({"enabled":false})", user_word()).policy == policy_of(R"({"enabled":false})"));
  CHECK(held("{}", user_word()).policy == Policy{});
  CHECK(held("{}", user_word()).remarks.empty());
  OperatorsWord word = user_word();
  word.allow_unconfined = false;
  CHECK(held(R"({"enabled":false})", word).policy.enabled);
  CHECK(held(R"({"enabled":false})", word).policy.filesystem.mode ==
        FilesystemMode::scratch_plus_ro);
}

TEST_CASE("unconfined is not root: each permission is one of its own") {
  OperatorsWord word = root_word();
  word.allow_unconfined = true;
  auto resolved = held(R"({"enabled":false})", word);
  CHECK(resolved.policy.enabled);
  CHECK(resolved.policy.filesystem.mode == FilesystemMode::off);
  CHECK(resolved.policy.network.mode == NetworkMode::unrestricted);
  CHECK(resolved.policy.privilege.mode == PrivilegeMode::drop_to_uid);
  CHECK(mentions(remarks_of(resolved), "operator.allow_root_scripts"));

  word.allow_root_scripts = true;
  resolved = held(R"({"enabled":false})", word);
  CHECK_FALSE(resolved.policy.enabled);
  CHECK(resolved.remarks.empty());

  word.allow_unconfined.reset();
  resolved = held("{}", word);
  CHECK(resolved.policy.privilege.mode == PrivilegeMode::inherit);
  CHECK(resolved.policy.filesystem.mode == FilesystemMode::scratch_plus_ro);
}

TEST_CASE("a policy names only ids that the operator lets it name") {
  OperatorsWord word = root_word();
  word.identity = {65532, 100};
  word.identity_range = IdentityRange{200'000, 64};
  word.policy_ids = *parse_id_list("1001, 2000:16, 200000:64");
  struct Row {
    std::optional<std::uint64_t> uid, gid, kept_uid, kept_gid;
  };
  const auto row = GENERATE(values<Row>({
      {{}, {}, {}, {}},         {65532, {}, 65532, 100},
      {65532, 100, 65532, 100}, {65532, 42, {}, {}},
      {65532, 0, {}, {}},       {0, {}, {}, {}},
      {1001, {}, 1001, {}},     {1001, 1001, 1001, 1001},
      {1001, 2015, 1001, 2015}, {1001, 2016, {}, {}},
      {1001, 42, {}, {}},       {1002, {}, {}, {}},
      {33, 33, {}, {}},         {{}, 42, {}, {}},
      {200'063, {}, {}, {}},  // somebody's at every moment
      {1001, 200'063, {}, {}},  {200'063, 200'062, {}, {}},
      {200'064, {}, {}, {}},    {4'294'968'297, {}, {}, {}},  // 1001 + 2^32
  }));
  Policy policy = policy_of(harmless);
  policy.privilege.uid = row.uid;
  policy.privilege.gid = row.gid;
  CAPTURE(row.uid.value_or(0), row.gid.value_or(0));
  const auto resolved = apply_operators_word({policy, false}, word);
  CHECK(resolved.policy.privilege.uid == row.kept_uid);
  CHECK(resolved.policy.privilege.gid == row.kept_gid);
  const bool gives_way = (row.uid && !row.kept_uid) || (!row.uid && row.gid);
  CHECK(resolved.remarks.size() == (gives_way ? 1 : 0));
  // An unprivileged satellite changes to nobody, so there is nothing to restrict.
  CHECK(apply_operators_word({policy, false}, user_word()).policy == policy);
}

TEST_CASE("a ceiling holds field by field, and each field is told") {
  OperatorsWord word = user_word();
  word.ceiling = ceiling_of(R"({"onUnavailable":"fail",
    "resources":{"cpuSeconds":60,"memoryBytes":1000000,"maxOpenFiles":64,"maxProcesses":8,
                 "maxOutputBytes":4096,"maxFileSizeBytes":8192},
    "filesystem":{"mode":"scratch-plus-ro","scratchBytes":16384},
    "network":{"mode":"allowlist","allow":["10.0.0.0/8"],"denyLinkLocalAndMetadata":true},
    "privilege":{"mode":"drop-to-uid"}})");
  const auto resolved = held(R"({"resources":{"cpuSeconds":3600,"maxOpenFiles":10},
    "network":{"mode":"unrestricted","denyLinkLocalAndMetadata":false}})",
                             word);
  const Policy& policy = resolved.policy;
  CHECK(policy.resources == ResourceLimits{60, 1'000'000, 10, 8, 4096, 8192});
  CHECK(policy.filesystem == FilesystemPolicy{FilesystemMode::scratch_plus_ro, 16384});
  CHECK(policy.network == NetworkPolicy{NetworkMode::allowlist, {"10.0.0.0/8"}, true});
  CHECK(policy.on_unavailable == OnUnavailable::fail);
  const std::string said = remarks_of(resolved);
  for (const char* words :
       {"resources.cpuSeconds 3600 became 60", "resources.memoryBytes without a limit became",
        "resources.maxProcesses without", "resources.maxOutputBytes without",
        "resources.maxFileSizeBytes without", "filesystem.scratchBytes without",
        "filesystem.mode off became scratch-plus-ro", "network.mode unrestricted became allowlist",
        "denyLinkLocalAndMetadata false became true", "privilege.mode inherit became drop-to-uid",
        "onUnavailable degrade became fail"}) {
    CHECK(mentions(said, words));
  }
  CHECK_FALSE(mentions(said, "maxOpenFiles"));
  // What is switched off from outside does not switch the ceiling off.
  const auto off = held(R"({"enabled":false})", word);
  CHECK(off.policy == *word.ceiling);
  CHECK(mentions(remarks_of(off), "does not lift operator.ceiling"));
}

TEST_CASE("an allowlist is narrowed to what the ceiling allows, too") {
  OperatorsWord word = user_word();
  word.ceiling = ceiling_of(R"({"network":{"mode":"allowlist","allow":["10.0.0.0/8"]}})");
  const auto resolved =
      held(R"({"network":{"mode":"allowlist","allow":["10.1.0.0/16","192.0.2.1"]}})", word);
  CHECK(resolved.policy.network.allow == std::vector<std::string>{"10.1.0.0/16"});
  CHECK(mentions(remarks_of(resolved), "network.allow was narrowed"));
  // A list that cannot be understood allows nothing, and must not allow more beside a ceiling.
  const auto broken =
      held(R"({"network":{"mode":"allowlist","allow":["10.1.0.0/16","10.1.0.1/8"]}})", word);
  CHECK(has_word(broken.policy.network.allow, "10.1.0.1/8"));
}

TEST_CASE("what a ceiling does not mention it permits") {
  OperatorsWord word = user_word();
  word.ceiling = ceiling_of(R"({"resources":{"cpuSeconds":60}})");
  const auto resolved =
      held(R"({"network":{"mode":"unrestricted","denyLinkLocalAndMetadata":false}})", word);
  CHECK_FALSE(resolved.policy.network.deny_link_local_and_metadata);
  CHECK(resolved.remarks.size() == 1);
}

TEST_CASE("a ceiling that would be none, or decides what it cannot, is refused") {
  const auto [text, problem] = GENERATE(table<std::string, std::string>(
      {{R"({"enabled":false})", "restricts nothing"},
       {R"({"privilege":{"mode":"drop-to-uid","uid":1001}})", "sandbox.uid"},
       {R"({"privilege":{"gid":1001}})", "sandbox.uid"},
       {R"({"network":{"mode":"allowlist","allow":["10.0.0.1/8"]}})", "10.0.0.1/8"},
       {R"({"surprise":1})", "surprise"},
       {"[]", "policy"},
       {"", ""}}));
  const auto ceiling = parse_ceiling(text);
  INFO(text);
  REQUIRE_FALSE(ceiling);
  CHECK(mentions(ceiling.error().message, problem));
}

TEST_CASE("a run whose memory nothing limits is refused where the operator says so") {
  OperatorsWord word = user_word();
  word.require_memory_limit = true;
  HostFacts grouped = unprivileged_bwrap_host();
  grouped.cgroup_memory = true;
  const auto decided = [&](const std::string& policy, const HostFacts& host) {
    return build_plan(held(policy, word), host, run_in("/tmp/run"), imagined_host());
  };
  const std::string limited = R"({"onUnavailable":"degrade","resources":{"memoryBytes":1000000},
    "filesystem":{"mode":"scratch-plus-ro"},"network":{"mode":"deny"}})";
  CHECK(std::holds_alternative<Plan>(decided(limited, grouped)));
  for (const auto& [policy, host] : {std::pair{limited, unprivileged_bwrap_host()},
                                     {std::string("{}"), grouped},
                                     {std::string(R"({"enabled":false})"), grouped}}) {
    const auto decision = decided(policy, host);
    const auto* refusal = std::get_if<Refusal>(&decision);
    REQUIRE(refusal != nullptr);
    CHECK(mentions(refusal_text(refusal->promise.downgrades), "operator.require_memory_limit"));
  }
  word.require_memory_limit = false;
  const auto decision = decided(limited, unprivileged_bwrap_host());
  REQUIRE(std::holds_alternative<Plan>(decision));
  CHECK(std::get<Plan>(decision).promise.layers[0].lacks == "memory is not limited");
}

TEST_CASE("blocked addresses are dropped before anything is let out") {
  HostFacts host = root_launcher_host();
  host.native_engine = host.net_egress_rootless = true;
  OperatorsWord word = root_word();
  word.blocked_addresses = {"100.100.100.200", "fd00:ec2::254", "203.0.113.0/24"};
  auto inputs = run_in("/tmp/run");
  inputs.default_identity = word.identity;
  inputs.launcher_makes_network = true;
  const auto filter_of = [&](const std::string& network) {
    const auto decision = build_plan(
        held(R"({"filesystem":{"mode":"scratch-plus-ro"},"privilege":{"mode":"drop-to-uid"},
                 "network":)" +
                 network + "}",
             word),
        host, inputs, imagined_host());
    REQUIRE(std::holds_alternative<Plan>(decision));
    return std::get<Plan>(decision);
  };
  for (const char* network :
       {R"({"mode":"unrestricted"})", R"({"mode":"allowlist","allow":["0.0.0.0/0","100.100.100.200",
         "::/0"],"denyLinkLocalAndMetadata":false})"}) {
    const auto plan = filter_of(network);
    REQUIRE(plan.packet_filter);
    for (const auto& address : word.blocked_addresses) {
      const auto block = parse_address_block(address);
      const auto first = std::find_if(plan.packet_filter->rules.begin(),
                                      plan.packet_filter->rules.end(), [&](const auto& rule) {
                                        return rule.match == FilterRule::Match::everything ||
                                               (rule.match == FilterRule::Match::destination &&
                                                contains(rule.destination, *block));
                                      });
      REQUIRE(first != plan.packet_filter->rules.end());
      CHECK(first->verdict == FilterRule::Verdict::drop);
    }
    CHECK(mentions(*plan.nft_text, "ip daddr { 100.100.100.200, 203.0.113.0/24 } drop"));
  }
  const auto open = filter_of(R"({"mode":"unrestricted","denyLinkLocalAndMetadata":false})");
  CHECK_FALSE(open.packet_filter);
  CHECK(std::any_of(open.promise.notes.begin(), open.promise.notes.end(), [](const Note& note) {
    return note.note.find("operator.blocked_addresses do not hold") != std::string::npos;
  }));
}

TEST_CASE("a list of blocked addresses that the operator wrote holds under every network mode") {
  OperatorsWord word = user_word();
  word.blocked_addresses = {"203.0.113.0/24"};
  word.blocked_by_choice = true;
  const std::string open = R"({"onUnavailable":"fail",
    "network":{"mode":"unrestricted","denyLinkLocalAndMetadata":false}})";
  const auto resolved = held(open, word);
  CHECK(resolved.policy.network.deny_link_local_and_metadata);
  CHECK(asks_for_a_way_out(resolved.policy));
  CHECK(mentions(remarks_of(resolved), "(operator.blocked_addresses)"));
  auto inputs = run_in("/tmp/run");
  inputs.launcher_makes_network = true;
  const auto decided = [&](const HostFacts& host) {
    return build_plan(resolved, host, inputs, imagined_host());
  };
  const auto filtered = decided(rootless_egress_host());
  REQUIRE(std::holds_alternative<Plan>(filtered));
  CHECK(mentions(std::get<Plan>(filtered).nft_text.value_or(""), "203.0.113.0/24 } drop"));
  CHECK(std::holds_alternative<Refusal>(decided(unprivileged_bwrap_host())));
  // What has a filter, or no way out at all, is left as it is.
  for (const char* network : {R"({"mode":"deny","denyLinkLocalAndMetadata":false})",
                              R"({"mode":"allowlist","allow":["0.0.0.0/0"],
                                  "denyLinkLocalAndMetadata":false})"}) {
    const std::string policy = std::string(R"({"network":)") + network + "}";
    CHECK(held(policy, word).policy == policy_of(policy));
  }
  // A host without any filter runs such policies as ever under the default list.
  word.blocked_by_choice = false;
  CHECK(held(open, word).policy == policy_of(open));
}

TEST_CASE("lists of ids and addresses are taken or refused whole") {
  CHECK(parse_id_list("")->empty());
  CHECK(*parse_id_list("1001,2000:16") == std::vector<IdentityRange>{{1001, 1}, {2000, 16}});
  for (const char* text : {"0", "0:4", "a", "1001,", ",", "1001;1002", "4294967295", "-1"}) {
    INFO(text);
    CHECK_FALSE(parse_id_list(text));
  }
  CHECK(parse_address_list("")->empty());
  CHECK(parse_address_list("192.0.2.1, 2001:db8::/32")->size() == 2);
  for (const char* text : {"192.0.2.1/24", "example.org", "192.0.2.1,", "1.2.3.4 } accept; #"}) {
    INFO(text);
    CHECK_FALSE(parse_address_list(text));
  }
  std::string many = "192.0.2.1";
  for (int i = 0; i < 64; ++i) many += ",192.0.2.1";
  CHECK_FALSE(parse_address_list(many));
}
