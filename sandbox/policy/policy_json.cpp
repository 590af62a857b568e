#include "sandbox/policy/policy_json.hpp"

#include "protocol/vocabulary/limits.hpp"
#include "sandbox/policy/policy_schema.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace satellite::sandbox {
namespace {

using nlohmann::json;

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
