#pragma once

#include "sandbox/planning/build_plan.hpp"
#include "sandbox/policy/policy_json.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

/// Hosts, runs and policies that several tests plan for.
namespace satellite::sandbox::test {

/// Whether these words stand somewhere in a command line, one after the other.
inline bool has_run(const std::vector<std::string>& words, const std::vector<std::string>& run) {
  return std::search(words.begin(), words.end(), run.begin(), run.end()) != words.end();
}

/// The upstream images: an unprivileged supervisor beside bubblewrap.
inline HostFacts unprivileged_bwrap_host() {
  HostFacts facts;
  facts.has_prlimit = facts.rlimit_native = true;
  facts.wrapper = Wrapper::bwrap;
  facts.user_namespaces = facts.user_ns_creatable = facts.net_namespaces = true;
  return facts;
}

inline HostFacts rootless_egress_host() {
  HostFacts facts = unprivileged_bwrap_host();
  facts.net_egress_rootless = true;
  return facts;
}

inline HostFacts unprivileged_nsjail_host() {
  HostFacts facts = unprivileged_bwrap_host();
  facts.wrapper = Wrapper::nsjail;
  return facts;
}

/// nsjail with everything a macvlan uplink takes.
inline HostFacts macvlan_host() {
  HostFacts facts = unprivileged_nsjail_host();
  facts.euid_is_root = true;
  facts.net_egress_iface = "eth0";
  facts.net_egress_addressing = MacvlanAddressing{"10.0.0.2", "255.255.255.0", "10.0.0.1"};
  return facts;
}

/// A root supervisor that can only put `--uid` on the wrapper's command line.
inline HostFacts root_bwrap_host() {
  HostFacts facts = unprivileged_bwrap_host();
  facts.euid_is_root = true;
  return facts;
}

/// Ours, started as root: the launcher changes identity and sets limits itself.
inline HostFacts root_launcher_host() {
  HostFacts facts = root_bwrap_host();
  facts.has_prlimit = facts.rlimit_native = false;
  facts.launcher_drops_privilege = facts.launcher_sets_rlimits = true;
  facts.wrapper_path = "/usr/bin/bwrap";
  return facts;
}

inline HostFacts bare_root_host() {
  HostFacts facts;
  facts.euid_is_root = true;
  facts.has_prlimit = facts.rlimit_native = true;
  return facts;
}

inline HostFacts mac_host() {
  HostFacts facts;
  facts.platform = "darwin";
  return facts;
}

inline HostPaths imagined_host() {
  HostPaths host;
  host.exists = [](const std::string&) { return true; };
  host.real_path = [](const std::string& path) { return std::optional(path); };
  return host;
}

inline Policy policy_of(const std::string& text) {
  auto policy = parse_policy(text);
  INFO(text);
  REQUIRE(policy.has_value());
  return *policy;
}

/// The shipped default with `text` laid over it.
inline Policy default_with(const std::string& text) {
  auto policy = merge_policy(shipped_default_policy(), text);
  INFO(text);
  REQUIRE(policy.has_value());
  return *policy;
}

inline RunInputs run_in(std::optional<std::string> scratch) {
  RunInputs inputs;
  inputs.command = {"sh", "-c", "echo hi"};
  inputs.base_environment = {{"PATH", "/usr/bin"}, {"HOME", "/home/u"}};
  inputs.scratch_directory = std::move(scratch);
  return inputs;
}

inline RunInputs run_with_egress() {
  RunInputs inputs = run_in("/tmp/run");
  inputs.filter_file = "/tmp/run/egress.nft";
  inputs.egress_script = "/tmp/run/egress.sh";
  return inputs;
}

inline Decision decision_for(const Policy& policy, const HostFacts& facts, RunInputs inputs) {
  return build_plan(ResolvedPolicy{policy, false}, facts, std::move(inputs), imagined_host());
}

inline Plan plan_for(const Policy& policy, const HostFacts& facts, RunInputs inputs) {
  auto decision = decision_for(policy, facts, std::move(inputs));
  if (const auto* refusal = std::get_if<Refusal>(&decision)) {
    FAIL(refusal_text(refusal->promise.downgrades));
  }
  return std::get<Plan>(std::move(decision));
}

inline std::vector<std::string> layers_of(const std::vector<Downgrade>& downgrades) {
  std::vector<std::string> names;
  for (const auto& downgrade : downgrades) names.emplace_back(name_of(downgrade.layer));
  return names;
}

inline bool has_word(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

inline bool has_limit(const Plan& plan, Resource resource) {
  return std::any_of(plan.resource_settings.begin(), plan.resource_settings.end(),
                     [resource](const auto& setting) { return setting.resource == resource; });
}

}  // namespace satellite::sandbox::test
