#include "sandbox/policy/address_block.hpp"
#include "sandbox/policy/policy_json.hpp"
#include "sandbox/policy/policy_schema.hpp"
#include "sandbox/policy/quoted.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

// The schema as the other side has it (zod 4): fields in their order, then what is unknown; a
// number that is no whole number is of the wrong type, and one beyond 2^53 breaks that bound first.

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

}  // namespace satellite::sandbox
