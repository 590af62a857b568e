// The schema as the other side has it (zod 4): fields in their order, then what is unknown; a
// number that is no whole number is of the wrong type, and one beyond 2^53 breaks that bound first.
// Whatever reads a value asks for its issues first, so that it may take types for granted.
#include "sandbox/policy/policy_json.hpp"

#include "protocol/vocabulary/limits.hpp"
#include "sandbox/policy/address_block.hpp"
#include "sandbox/policy/policy_schema.hpp"
#include "sandbox/policy/quoted.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace satellite::sandbox {
namespace {

using nlohmann::json;
using Path = decltype(PolicyIssue::path);

std::string shown(const json& value) {
  if (value.is_string()) return quoted_text(value.get_ref<const std::string&>());
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return value.dump();
}

class Inspection {
 public:
  std::vector<PolicyIssue> issues;

  void complain(std::string code, std::string message) {
    issues.push_back(PolicyIssue{path_, std::move(code), std::move(message)});
  }

  /// Runs `inspect` on the member `name` of `object` if it is there.
  template <typename Inspect>
  void member(const json& object, const char* name, Inspect inspect) {
    const auto found = object.find(name);
    if (found == object.end()) return;
    path_.emplace_back(std::string(name));
    inspect(*found);
    path_.pop_back();
  }

  bool is_object(const json& value) {
    if (value.is_object()) return true;
    complain("invalid_type", shown(value) + " is not an object");
    return false;
  }

  void boolean(const json& value) {
    if (!value.is_boolean()) complain("invalid_type", shown(value) + " is not true or false");
  }

  template <typename Values>
  void choice(const json& value, const Values& permitted) {
    std::string names;
    for (const auto candidate : permitted) {
      if (value.is_string() && value.get_ref<const std::string&>() == name_of(candidate)) return;
      if (!names.empty()) names += ", ";
      names += name_of(candidate);
    }
    complain("invalid_value", shown(value) + " is not one of " + names);
  }

  template <typename Section>
  void number(const json& value, const NumberField<Section>& field) {
    if (!value.is_number()) {
      return complain("invalid_type", shown(value) + " is not a whole number");
    }
    const double number = value.get<double>();
    if (number != std::floor(number)) {
      return complain("invalid_type", shown(value) + " is not a whole number");
    }
    const auto above = [&](std::uint64_t bound) {
      complain("too_big", shown(value) + " is above the maximum " + std::to_string(bound));
    };
    const auto below = [&] {
      complain("too_small",
               shown(value) + " is below the minimum " + std::to_string(field.smallest));
    };
    if (std::abs(number) > static_cast<double>(safe_integer_max)) {
      number > 0 ? above(safe_integer_max) : below();
    }
    if (number < static_cast<double>(field.smallest)) below();
    if (field.largest && number > static_cast<double>(*field.largest)) above(*field.largest);
  }

  template <typename Fields>
  void numbers(const json& object, const Fields& fields) {
    for (const auto& field : fields) {
      member(object, field.name, [&](const json& value) { number(value, field); });
    }
  }

  void strings(const json& value) {
    if (!value.is_array()) return complain("invalid_type", shown(value) + " is not a list");
    for (std::size_t i = 0; i < value.size(); ++i) {
      path_.emplace_back(i);
      if (!value[i].is_string()) complain("invalid_type", shown(value[i]) + " is not a string");
      path_.pop_back();
    }
  }

  void no_other_keys(const json& object, const std::vector<std::string_view>& known) {
    std::string unknown;
    for (const auto& [key, value] : object.items()) {
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      if (!unknown.empty()) unknown += ", ";
      unknown += quoted_text(key);
    }
    if (!unknown.empty()) complain("unrecognized_keys", "unknown: " + unknown);
  }

 private:
  Path path_;
};

void inspect_resources(Inspection& inspection, const json& value) {
  if (!inspection.is_object(value)) return;
  inspection.numbers(value, resource_fields);
  std::vector<std::string_view> known;
  known.reserve(std::size(resource_fields));
  for (const auto& field : resource_fields) known.emplace_back(field.name);
  inspection.no_other_keys(value, known);
}

void inspect_filesystem(Inspection& inspection, const json& value) {
  if (!inspection.is_object(value)) return;
  inspection.member(value, "mode",
                    [&](const json& mode) { inspection.choice(mode, filesystem_modes); });
  inspection.numbers(value, filesystem_fields);
  inspection.no_other_keys(value, {"mode", "scratchBytes"});
}

void inspect_network(Inspection& inspection, const json& value) {
  if (!inspection.is_object(value)) return;
  inspection.member(value, "mode",
                    [&](const json& mode) { inspection.choice(mode, network_modes); });
  inspection.member(value, "allow", [&](const json& allow) { inspection.strings(allow); });
  inspection.member(value, "denyLinkLocalAndMetadata",
                    [&](const json& deny) { inspection.boolean(deny); });
  inspection.no_other_keys(value, {"mode", "allow", "denyLinkLocalAndMetadata"});
}

void inspect_privilege(Inspection& inspection, const json& value) {
  if (!inspection.is_object(value)) return;
  inspection.member(value, "mode",
                    [&](const json& mode) { inspection.choice(mode, privilege_modes); });
  inspection.numbers(value, privilege_fields);
  inspection.no_other_keys(value, {"mode", "uid", "gid"});
}

}  // namespace

std::vector<PolicyIssue> policy_issues(const json& value) {
  Inspection inspection;
  if (!inspection.is_object(value)) return std::move(inspection.issues);
  const auto section = [&](const char* name, void (*inspect)(Inspection&, const json&)) {
    inspection.member(value, name, [&](const json& part) { inspect(inspection, part); });
  };
  inspection.member(value, "enabled", [&](const json& flag) { inspection.boolean(flag); });
  inspection.member(value, "onUnavailable",
                    [&](const json& word) { inspection.choice(word, on_unavailable_values); });
  section("resources", inspect_resources);
  section("filesystem", inspect_filesystem);
  section("network", inspect_network);
  section("privilege", inspect_privilege);
  inspection.no_other_keys(
      value, {"enabled", "onUnavailable", "resources", "filesystem", "network", "privilege"});
  return std::move(inspection.issues);
}

std::vector<PolicyIssue> allow_issues(const Policy& policy) {
  std::vector<PolicyIssue> issues;
  for (std::size_t i = 0; i < policy.network.allow.size(); ++i) {
    const auto block = parse_address_block(policy.network.allow[i]);
    if (block) continue;
    issues.push_back(PolicyIssue{
        {std::string("network"), std::string("allow"), i}, "invalid_value", block.error().message});
  }
  return issues;
}

std::string text_of(const PolicyIssue& issue) {
  std::string text;
  for (const auto& step : issue.path) {
    if (const auto* index = std::get_if<std::size_t>(&step)) {
      text += "[" + std::to_string(*index) + "]";
    } else {
      if (!text.empty()) text += '.';
      text += std::get<std::string>(step);
    }
  }
  return (text.empty() ? "policy" : text) + ": " + issue.message;
}

namespace {

/// A policy is three levels deep; the count leaves room for a long allowlist and bounds the work
/// that a hostile one can cause.
constexpr JsonBounds policy_bounds{limits::policy_text_size_max, 8, 20'000};

/// Several issues in one sentence, but not a page of them.
Error invalid(const std::vector<PolicyIssue>& issues) {
  constexpr std::size_t shown_max = 5;
  std::string message = "invalid sandbox policy: ";
  for (std::size_t i = 0; i < std::min(issues.size(), shown_max); ++i) {
    if (i > 0) message += "; ";
    message += text_of(issues[i]);
  }
  if (issues.size() > shown_max) {
    message += "; and " + std::to_string(issues.size() - shown_max) + " more";
  }
  return Error{ErrorCode::invalid_input, std::move(message)};
}

// The functions below read what policy_issues has found valid: types are as expected, and absent
// members leave the given value, which makes them serve parsing and merging alike.

void read(const json& object, const char* name, bool& value) {
  if (const auto found = object.find(name); found != object.end()) value = found->get<bool>();
}

template <typename Enum, typename Values>
void read(const json& object, const char* name, Enum& value, const Values& permitted) {
  const auto found = object.find(name);
  if (found == object.end()) return;
  for (const Enum candidate : permitted) {
    if (found->get_ref<const std::string&>() == name_of(candidate)) value = candidate;
  }
}

template <typename Section, typename Fields>
void read_numbers(const json& object, Section& section, const Fields& fields) {
  for (const auto& field : fields) {
    const auto found = object.find(field.name);
    if (found == object.end()) continue;
    section.*field.member = static_cast<std::uint64_t>(found->template get<double>());
  }
}

Policy overlaid(Policy policy, const json& value) {
  read(value, "enabled", policy.enabled);
  read(value, "onUnavailable", policy.on_unavailable, on_unavailable_values);
  if (const auto part = value.find("resources"); part != value.end()) {
    read_numbers(*part, policy.resources, resource_fields);
  }
  if (const auto part = value.find("filesystem"); part != value.end()) {
    read(*part, "mode", policy.filesystem.mode, filesystem_modes);
    read_numbers(*part, policy.filesystem, filesystem_fields);
  }
  if (const auto part = value.find("network"); part != value.end()) {
    read(*part, "mode", policy.network.mode, network_modes);
    if (const auto allow = part->find("allow"); allow != part->end()) {
      policy.network.allow = allow->get<std::vector<std::string>>();
    }
    read(*part, "denyLinkLocalAndMetadata", policy.network.deny_link_local_and_metadata);
  }
  if (const auto part = value.find("privilege"); part != value.end()) {
    read(*part, "mode", policy.privilege.mode, privilege_modes);
    read_numbers(*part, policy.privilege, privilege_fields);
  }
  return policy;
}

template <typename Section, typename Fields>
void write_numbers(json& object, const Section& section, const Fields& fields) {
  for (const auto& field : fields) {
    if (const auto& value = section.*field.member) object[field.name] = *value;
  }
}

}  // namespace

Result<Policy> policy_from_json(const json& value) {
  return overlay_policy(Policy{}, value);
}

Result<Policy> parse_policy(std::string_view text) {
  return merge_policy(Policy{}, text);
}

Result<Policy> overlay_policy(const Policy& base, const json& override_value) {
  if (const auto issues = policy_issues(override_value); !issues.empty()) return invalid(issues);
  return overlaid(base, override_value);
}

Result<Policy> merge_policy(const Policy& base, std::string_view override_text) {
  const auto value = parse_bounded_json(override_text, policy_bounds);
  if (!value) return value.error();
  return overlay_policy(base, *value);
}

json to_json(const Policy& policy) {
  json resources = json::object();
  write_numbers(resources, policy.resources, resource_fields);
  json filesystem{{"mode", name_of(policy.filesystem.mode)}};
  write_numbers(filesystem, policy.filesystem, filesystem_fields);
  json privilege{{"mode", name_of(policy.privilege.mode)}};
  write_numbers(privilege, policy.privilege, privilege_fields);
  const auto& network = policy.network;
  return {{"enabled", policy.enabled},
          {"onUnavailable", name_of(policy.on_unavailable)},
          {"resources", std::move(resources)},
          {"filesystem", std::move(filesystem)},
          {"network",
           {{"mode", name_of(network.mode)},
            {"allow", network.allow},
            {"denyLinkLocalAndMetadata", network.deny_link_local_and_metadata}}},
          {"privilege", std::move(privilege)}};
}

}  // namespace satellite::sandbox
