#include "sandbox/planning/environment.hpp"
#include "vectors/conformance_case.hpp"

#include <arpa/inet.h>
#include <algorithm>
#include <array>
#include <sstream>

// What we do instead of the recorded behaviour. The reasons stand in differences.json; a difference
// that is not listed there is not in force.

namespace satellite::vectors {
namespace {

using OrderedJson = nlohmann::ordered_json;

bool is_root(const json& in) {
  return in.at("caps").at("euidIsRoot").get<bool>();
}

bool wants_process_limit(const json& in) {
  return in.at("policy").at("enabled").get<bool>() &&
         in.at("policy").at("resources").contains("maxProcesses") &&
         in.at("caps").at("rlimitNative").get<bool>();
}

/// A run that upstream starts although a layer is missing by our account: refused under `fail`.
json with_downgrade(json recorded, const json& in, const char* layer) {
  if (recorded.contains("refused")) {
    recorded["refused"].push_back(layer);
    return recorded;
  }
  auto& downgrades = recorded["ok"]["effective"]["downgrades"];
  downgrades.push_back(layer);
  if (in.at("policy").at("onUnavailable") == "fail") return {{"refused", downgrades}};
  return recorded;
}

/// A `--uid` in a user namespace made by root leaves host uid 0: no privilege was dropped.
std::optional<json> wrapper_uid_is_no_drop(const json& test_case, const json& recorded) {
  const auto& in = test_case.at("in");
  const auto& privilege = in.at("policy").at("privilege");
  if (!is_root(in) || privilege.at("mode") != "drop-to-uid" || !privilege.contains("uid")) {
    return std::nullopt;
  }
  if (recorded.contains("refused")) {
    const auto& layers = recorded.at("refused");
    const bool named = std::find(layers.begin(), layers.end(), "privilege") != layers.end();
    return named ? std::nullopt : std::optional(with_downgrade(recorded, in, "privilege"));
  }
  if (!recorded.at("ok").contains("uid")) return std::nullopt;
  json ours = recorded;
  ours["ok"].erase("uid");
  ours["ok"].erase("gid");
  ours["ok"]["effective"]["enforced"]["privilege"] = false;
  return with_downgrade(std::move(ours), in, "privilege");
}

/// Takes `--nproc=N` out of a command line, and `prlimit --` with it when nothing is left to set.
bool remove_process_limit(json& argv) {
  auto words = argv.get<std::vector<std::string>>();
  const auto limit = std::find_if(words.begin(), words.end(), [](const std::string& word) {
    return word.starts_with("--nproc=");
  });
  if (limit == words.end()) return false;
  const auto after = words.erase(limit);
  if (*(after - 1) == "prlimit" && *after == "--") words.erase(after - 1, after + 1);
  argv = words;
  return true;
}

/// The kernel exempts host uid 0 from RLIMIT_NPROC, inside a wrapper's user namespace as well.
std::optional<json> root_has_no_process_limit(const json& test_case, const json& recorded) {
  const auto& in = test_case.at("in");
  if (!is_root(in) || !wants_process_limit(in)) return std::nullopt;
  json ours = recorded;
  if (recorded.contains("ok") && !remove_process_limit(ours["ok"]["argv"])) return std::nullopt;
  return with_downgrade(std::move(ours), in, "resources");
}

/// Limits were asked for, and nothing of this run keeps any of them: the layer is not enforced.
std::optional<json> limits_without_a_mechanism(const json& test_case, const json& recorded) {
  const auto& in = test_case.at("in");
  if (!recorded.contains("ok")) return std::nullopt;
  const auto& ok = recorded.at("ok");
  const auto& argv = ok.at("argv");
  const bool heap_limit = in.value("appliesNodeMemoryCap", false) &&
                          in.at("policy").at("resources").contains("memoryBytes");
  const bool any = heap_limit || ok.contains("maxOutputBytes") ||
                   std::find(argv.begin(), argv.end(), "prlimit") != argv.end();
  if (any || !ok.at("effective").at("enforced").at("resources").get<bool>()) return std::nullopt;
  json ours = recorded;
  ours["ok"]["effective"]["enforced"]["resources"] = false;
  return ours;
}

/// Drops from a recorded environment what we drop in addition.
std::optional<json> drop_in_addition(const OrderedJson& overrides, const json& recorded,
                                     const char* environment_name, const char* dropped_name,
                                     bool (*refused)(const std::string&)) {
  json ours = recorded;
  auto& environment = ours[environment_name];
  std::vector<std::string> dropped;
  const auto before = recorded.at(dropped_name).get<std::vector<std::string>>();
  bool any = false;
  for (const auto& [name, value] : overrides.items()) {
    const bool by_us = refused(name);
    if (by_us) environment.erase(name);
    any = any || by_us;
    if (by_us || std::find(before.begin(), before.end(), name) != before.end()) {
      dropped.push_back(name);
    }
  }
  if (!any) return std::nullopt;
  ours[dropped_name] = dropped;
  return ours;
}

bool loads_foreign_code(const std::string& name) {
  return !sandbox::is_refused_upstream(name) && sandbox::is_refused_in_addition(name);
}

bool cannot_be_a_name(const std::string& name) {
  return name.empty() || name.find('=') != std::string::npos;
}

std::optional<OrderedJson> raw_overrides(const json& test_case) {
  const auto& raw = test_case.at("in").at("overridesRaw");
  if (raw.is_null()) return std::nullopt;
  return OrderedJson::parse(raw.get<std::string>());
}

std::optional<json> additional_names(const json& test_case, const json& recorded) {
  const auto overrides = raw_overrides(test_case);
  if (!overrides || !test_case.at("in").at("applyDenylist").get<bool>()) return std::nullopt;
  return drop_in_addition(*overrides, recorded, "env", "dropped", loads_foreign_code);
}

std::optional<json> impossible_names(const json& test_case, const json& recorded) {
  const auto overrides = raw_overrides(test_case);
  if (!overrides) return std::nullopt;
  return drop_in_addition(*overrides, recorded, "env", "dropped", cannot_be_a_name);
}

/// JavaScript loses a key of this name; it is a variable like any other.
std::optional<json> proto_is_a_name(const json& test_case, const json& recorded) {
  const auto overrides = raw_overrides(test_case);
  if (!overrides || !overrides->contains("__proto__")) return std::nullopt;
  json ours = recorded;
  ours["env"]["__proto__"] = overrides->at("__proto__").get<std::string>();
  return ours;
}

std::optional<json> additional_names_of_plan(const json& test_case, const json& recorded) {
  const auto& in = test_case.at("in");
  if (!in.contains("envOverrides") || !recorded.contains("ok") ||
      !in.at("policy").at("enabled").get<bool>()) {
    return std::nullopt;
  }
  const auto ordered = OrderedJson::parse(test_case.at("inText").get<std::string>());
  const auto ours = drop_in_addition(ordered.at("envOverrides"), recorded.at("ok"), "env",
                                     "droppedEnvKeys", loads_foreign_code);
  if (!ours) return std::nullopt;
  return json{{"ok", *ours}};
}

/// Written apart from the sandbox's own parser, so that the two check each other.
bool is_address_or_block(const std::string& entry) {
  const auto slash = entry.find('/');
  const std::string address = entry.substr(0, slash);
  std::array<unsigned char, 16> bytes{};
  unsigned width = 32;
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) != 1) {
    width = 128;
    if (inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) return false;
    if (address.find("::ffff:") == 0) return false;
  }
  if (slash == std::string::npos) return true;
  const std::string digits = entry.substr(slash + 1);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) return false;
  const unsigned long length = std::stoul(digits);
  for (unsigned bit = static_cast<unsigned>(length); bit < width; ++bit) {
    if (bytes[bit / 8] >> (7 - bit % 8) & 1) return false;
  }
  return length <= width;
}

std::optional<json> unusable_entries(const json& test_case, const json&) {
  const auto& in = test_case.at("in");
  if (in.at("mode") != "allowlist") return std::nullopt;
  for (const auto& entry : in.at("allow")) {
    if (!is_address_or_block(entry.get<std::string>())) return json{{"refused", "invalid_input"}};
  }
  return std::nullopt;
}

/// The recorded ruleset with packets dropped first that name stations on their way, and then
/// neighbour discovery let out where it lets IPv6 out at all.
std::string with_our_first_rules(const std::string& recorded) {
  const std::string loopback = "    ip6 daddr { ::1/128 } accept\n";
  std::string rest = recorded;
  if (const auto at = rest.find(loopback); at != std::string::npos) rest.erase(at, loopback.size());
  bool opens = false;
  std::istringstream lines(rest);
  for (std::string line; std::getline(lines, line);) {
    opens = opens || (line.starts_with("    ip6 daddr {") && line.ends_with("accept"));
  }
  const bool only_the_block =
      rest.find("\n    drop\n") == std::string::npos &&
      rest.find("ip6 daddr { fe80::/10, fc00::/7 } drop") != std::string::npos;
  const std::string head = "policy accept;\n";
  std::string first = "    ip protocol != igmp ip hdrlength != 5 drop\n    exthdr rt exists drop\n";
  if (opens || only_the_block) {
    first +=
        "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept\n";
  }
  std::string ours = recorded;
  ours.insert(ours.find(head) + head.size(), first);
  return ours;
}

std::optional<json> first_rules(const json&, const json& recorded) {
  if (!recorded.is_string()) return std::nullopt;
  return json(with_our_first_rules(recorded.get<std::string>()));
}

std::optional<json> first_rules_of_network(const json&, const json& recorded) {
  if (!recorded.contains("nftRuleset")) return std::nullopt;
  json changed = recorded;
  changed["nftRuleset"] = with_our_first_rules(recorded.at("nftRuleset").get<std::string>());
  return changed;
}

std::optional<json> first_rules_of_plan(const json& test_case, const json& recorded) {
  if (!recorded.contains("ok")) return std::nullopt;
  const auto ours = first_rules_of_network(test_case, recorded.at("ok"));
  return ours ? std::optional(json{{"ok", *ours}}) : std::nullopt;
}

}  // namespace

std::vector<Difference> plan_differences() {
  const char* function = "buildSpawnHardening";
  return {{function, "wrapper-uid-is-no-drop", wrapper_uid_is_no_drop},
          {function, "root-has-no-process-limit", root_has_no_process_limit},
          {function, "limits-without-a-mechanism", limits_without_a_mechanism},
          {function, "additional-names", additional_names_of_plan},
          {function, "first-rules", first_rules_of_plan}};
}

std::vector<Difference> environment_differences() {
  const char* function = "buildSubprocessEnv";
  return {{function, "additional-names", additional_names},
          {function, "impossible-names", impossible_names},
          {function, "proto-is-a-name", proto_is_a_name}};
}

std::vector<Difference> egress_differences() {
  return {{"buildEgressNftRules", "first-rules", first_rules},
          {"buildEgressNftRules", "unusable-entries", unusable_entries}};
}

std::vector<Difference> network_differences() {
  return {{"buildNetworkLayer", "first-rules", first_rules_of_network}};
}

}  // namespace satellite::vectors
