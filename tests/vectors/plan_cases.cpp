#include "sandbox/host/readiness.hpp"
#include "sandbox/planning/build_plan.hpp"
#include "sandbox/planning/egress_rules.hpp"
#include "sandbox/planning/filesystem_layer.hpp"
#include "sandbox/planning/network_decision.hpp"
#include "sandbox/planning/upstream_command_lines.hpp"
#include "sandbox/policy/policy_json.hpp"
#include "vectors/conformance_case.hpp"

#include <set>
#include <stdexcept>

namespace satellite::vectors {
namespace {

using namespace sandbox;
using OrderedJson = nlohmann::ordered_json;

HostFacts facts_of(const json& in) {
  auto facts = host_facts_from_json(in.at("caps"));
  if (!facts) throw std::runtime_error(facts.error().message);
  return *facts;
}

/// One section of a policy, with the schema's defaults around it.
Policy policy_with(const char* section, const json& value) {
  auto policy = policy_from_json(json{{section, value}});
  if (!policy) throw std::runtime_error(policy.error().message);
  return *policy;
}

std::optional<std::string> text_at(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return found->get<std::string>();
}

std::optional<std::uint64_t> number_at(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return found->get<std::uint64_t>();
}

/// The imagined host: the file's paths without those that the case takes away.
HostPaths host_of(const json& file, const json& test_case) {
  auto paths = file.at("world").at("exists").get<std::set<std::string>>();
  for (const auto& path : test_case.value("missing", json::array())) {
    paths.erase(path.get<std::string>());
  }
  const auto links = file.at("world").at("realpath").get<std::map<std::string, std::string>>();
  HostPaths host;
  host.exists = [paths](const std::string& path) { return paths.contains(path); };
  host.real_path = [paths, links](const std::string& path) -> std::optional<std::string> {
    if (const auto link = links.find(path); link != links.end()) return link->second;
    if (paths.contains(path)) return path;
    return std::nullopt;
  };
  return host;
}

NamedValues overrides_of(const OrderedJson& object) {
  NamedValues values;
  for (const auto& [name, value] : object.items()) {
    values.emplace_back(name, value.get<std::string>());
  }
  return values;
}

json egress_answer(const json& test_case, const json&) {
  const auto& in = test_case.at("in");
  EgressRules rules;
  rules.kind = in.at("mode") == "allowlist" ? EgressRules::Kind::allowlist
                                            : EgressRules::Kind::metadata_only;
  rules.allow = in.at("allow").get<std::vector<std::string>>();
  rules.deny_link_local_and_metadata = in.at("denyMetadata").get<bool>();
  const auto ruleset = egress_ruleset(rules);
  if (!ruleset) return {{"refused", name_of(ruleset.error().code)}};
  return *ruleset;
}

json network_answer(const json& test_case, const json&) {
  const auto& in = test_case.at("in");
  const auto decision =
      decide_network(policy_with("network", in.at("policy")).network, facts_of(in));
  switch (decision.kind) {
    case NetworkDecision::Kind::degrade:
      return {{"kind", "degrade"}};
    case NetworkDecision::Kind::host:
      return {{"kind", "host"},
              {"metadataBlockUnenforceable", decision.metadata_block_unenforceable}};
    case NetworkDecision::Kind::namespaced:
      break;
  }
  json answer{{"kind", "namespaced"},
              {"mode", decision.mode == NetworkDecision::Mode::deny ? "deny" : "allowlist"}};
  if (decision.ruleset) answer["nftRuleset"] = *decision.ruleset;
  if (decision.egress == Egress::slirp4netns) answer["egressPath"] = "rootless";
  if (decision.egress == Egress::macvlan) {
    answer["egressPath"] = "macvlan";
    answer["egressIface"] = decision.uplink;
    answer["egressAddressing"] = {{"ip", decision.addressing->ip},
                                  {"netmask", decision.addressing->netmask},
                                  {"gateway", decision.addressing->gateway}};
  }
  return answer;
}

NetworkDecision recorded_network(const json& in) {
  NetworkDecision decision;
  const auto found = in.find("network");
  if (found == in.end() || found->is_null() || found->at("kind") != "namespaced") return decision;
  decision.kind = NetworkDecision::Kind::namespaced;
  decision.egress = Egress::routeless;
  decision.ruleset = text_at(*found, "nftRuleset");
  decision.uplink = text_at(*found, "egressIface").value_or("");
  const auto path = text_at(*found, "egressPath");
  if (path == "rootless") decision.egress = Egress::slirp4netns;
  if (path == "macvlan") decision.egress = Egress::macvlan;
  if (const auto addressing = found->find("egressAddressing"); addressing != found->end()) {
    decision.addressing = MacvlanAddressing{addressing->at("ip"), addressing->at("netmask"),
                                            addressing->at("gateway")};
  }
  return decision;
}

json filesystem_answer(const json& test_case, const json& file) {
  const auto& in = test_case.at("in");
  const auto& given = in.at("inputs");
  FilesystemInputs inputs;
  inputs.scratch_directory = text_at(given, "scratchDir");
  inputs.package_directory = text_at(given, "nodeModulesDir");
  inputs.interpreter = text_at(given, "interpreterPath");
  inputs.filter_file = text_at(in, "nftRulesetPath");
  inputs.inner_uid = number_at(given, "dropUid");
  inputs.inner_gid = number_at(given, "dropGid");
  const auto network = recorded_network(in);
  const auto layer =
      build_filesystem_layer(policy_with("filesystem", in.at("policy")).filesystem, facts_of(in),
                             inputs, network, host_of(file, test_case));
  switch (layer.kind) {
    case FilesystemLayer::Kind::off:
      return {{"kind", "off"}};
    case FilesystemLayer::Kind::degrade:
      return {{"kind", "degrade"}};
    case FilesystemLayer::Kind::enforced:
      break;
  }
  if (network.egress == Egress::slirp4netns) {
    return {{"kind", "enforced-rootless-egress"}, {"bwrapArgv", layer.wrapper}};
  }
  auto prelude = layer.wrapper;
  prelude.emplace_back("--");
  return {{"kind", "enforced"}, {"prelude", prelude}};
}

json environment_answer(const json& test_case, const json&) {
  const auto& in = test_case.at("in");
  const auto raw = text_at(in, "overridesRaw");
  const auto overrides = raw ? overrides_of(OrderedJson::parse(*raw)) : NamedValues{};
  const auto guard =
      in.at("applyDenylist").get<bool>() ? EnvironmentGuard::on : EnvironmentGuard::off;
  const auto environment = build_environment(in.at("base"), overrides, guard);
  return {{"env", environment.variables}, {"dropped", environment.dropped}};
}

json readiness_answer(const json& test_case, const json&) {
  const auto readiness = assess_readiness(facts_of(test_case.at("in")));
  auto codes = json::array();
  for (const auto& reason : readiness.reasons) codes.push_back(reason.code);
  return {{"enforceable", readiness.enforceable},
          {"platform", readiness.platform},
          {"reasons", codes},
          {"hasGuidance", !readiness.guidance.empty()},
          {"hasBanner", !readiness_banner(readiness).empty()}};
}

RunInputs run_inputs_of(const json& test_case) {
  const auto& in = test_case.at("in");
  RunInputs inputs;
  inputs.command = test_case.at("cmd").get<std::vector<std::string>>();
  inputs.base_environment = in.at("baseEnv").get<std::map<std::string, std::string>>();
  if (in.contains("envOverrides")) {
    const auto ordered = OrderedJson::parse(test_case.at("inText").get<std::string>());
    inputs.environment = overrides_of(ordered.at("envOverrides"));
  }
  const auto given = in.value("filesystem", json::object());
  inputs.scratch_directory = text_at(given, "scratchDir");
  inputs.package_directory = text_at(given, "nodeModulesDir");
  inputs.interpreter = text_at(given, "interpreterPath");
  inputs.filter_file = text_at(in, "nftRulesetPath");
  inputs.egress_script = text_at(in, "rootlessLauncherPath");
  inputs.keeps_heap_limit = in.value("appliesNodeMemoryCap", false);
  inputs.sets_account_variables = false;  // an addition of ours, per run
  return inputs;
}

template <typename Items>
json layers_of(const Items& items) {
  auto layers = json::array();
  for (const auto& item : items) layers.push_back(name_of(item.layer));
  return layers;
}

json hardening_answer(const json& test_case, const json& file) {
  const auto& in = test_case.at("in");
  auto policy = policy_from_json(in.at("policy"));
  if (!policy) throw std::runtime_error(policy.error().message);
  const auto decision = build_plan(ResolvedPolicy{*policy, false}, facts_of(in),
                                   run_inputs_of(test_case), host_of(file, test_case));
  if (const auto* refusal = std::get_if<Refusal>(&decision)) {
    return {{"refused", layers_of(refusal->promise.downgrades)}};
  }
  const auto& plan = std::get<Plan>(decision);
  const auto script = text_at(in, "rootlessLauncherPath");
  json ok{{"argv", upstream_command_line(plan, script)},
          {"env", plan.environment},
          {"droppedEnvKeys", plan.dropped_environment},
          {"hasRootlessLauncher", plan.egress == Egress::slirp4netns},
          {"effective",
           {{"enforced", to_json(plan.promise.enforced)},
            {"downgrades", layers_of(plan.promise.downgrades)},
            {"notes", layers_of(plan.promise.notes)},
            {"platform", plan.promise.platform}}}};
  if (plan.output_size_max) ok["maxOutputBytes"] = plan.output_size_max->value;
  if (plan.module_memory_environment) ok["nodeMemoryFlagEnv"] = *plan.module_memory_environment;
  if (plan.nft_text) ok["nftRuleset"] = *plan.nft_text;
  if (plan.identity) ok["uid"] = plan.identity->uid;
  return {{"ok", ok}};
}

}  // namespace

std::vector<ConformanceCase> plan_conformance_cases() {
  return {{"buildEgressNftRules", egress_answer, out},
          {"buildNetworkLayer", network_answer, out},
          {"buildFilesystemLayer", filesystem_answer, out},
          {"buildSubprocessEnv", environment_answer, out},
          {"buildSpawnHardening", hardening_answer, out},
          {"assessSandboxHostReadiness", readiness_answer, out}};
}

}  // namespace satellite::vectors
