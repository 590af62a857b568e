#include "protocol/decoding/assignments.hpp"

#include "protocol/decoding/json_slices.hpp"
#include "protocol/vocabulary/json_fields.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>

namespace satellite::protocol {
namespace {

using nlohmann::json;

bool is_object(const JsonSlices& slices, std::string_view name) {
  const auto text = slices.find(name);
  return text && text->front() == '{';
}

void require_object(JsonFields& fields, const JsonSlices& slices, std::string_view name) {
  if (!is_object(slices, name)) {
    fields.fail(ErrorCode::invalid_input, name,
                slices.find(name) ? "must be an object" : "is missing");
  }
}

void optional_object(JsonFields& fields, const JsonSlices& slices, std::string_view name) {
  if (slices.find(name)) require_object(fields, slices, name);
}

/// What holds for each entry of an array member.
struct EntryRule {
  std::string_view name;
  std::size_t entries_max;
  std::span<const std::string_view> members;  ///< those that are texts first
  std::size_t texts;
  void (*check)(JsonFields& entry, const JsonSlices& slices);
};

/// What goes on as text is never made into values: of ten thousand assignments that would be most
/// of the work.
void check_entries(JsonFields& fields, const JsonSlices& slices, const EntryRule& rule) {
  const auto text = slices.find(rule.name);
  if (!text) return;
  const auto entries = slice_entries(*text, rule.entries_max);
  if (!entries) return fields.fail(entries.error().code, rule.name, entries.error().message);
  for (std::size_t i = 0; i < entries->size() && !fields.failed(); ++i) {
    const std::string path = fields.path_of(rule.name, i);
    const auto entry = JsonSlices::of((*entries)[i], rule.members);
    if (!entry) return fields.fail(Error{entry.error().code, path + ": " + entry.error().message});
    json texts = entry->parsed(rule.members.first(rule.texts));
    JsonFields own(texts, path);
    rule.check(own, *entry);
    if (own.failed()) fields.fail(own.error());
  }
}

void check_assertion(JsonFields& assertion, const JsonSlices& /*slices*/) {
  assertion.required_text("field", limits::reason_size_max);
  assertion.optional_text("jsonPath", limits::reason_size_max);
  assertion.required_text("operator", limits::id_size_max);
}

constexpr std::array<std::string_view, 3> assertion_members{"field", "operator", "jsonPath"};
constexpr EntryRule assertions_rule{"assertions", limits::assertions_per_collector_max,
                                    assertion_members, 3, check_assertion};

/// The entries go on as text; here only their shape is judged, so that a run never meets a
/// collector without a configuration.
void check_collector(JsonFields& collector, const JsonSlices& slices) {
  collector.required_text("id", limits::id_size_max);
  collector.required_text("collectorId", limits::id_size_max);
  require_object(collector, slices, "config");
  check_entries(collector, slices, assertions_rule);
}

constexpr std::array<std::string_view, 4> collector_members{"id", "collectorId", "config",
                                                            "assertions"};
constexpr EntryRule collectors_rule{"collectors", limits::collectors_per_assignment_max,
                                    collector_members, 2, check_collector};

void check_environment(JsonFields& environment, const JsonSlices& slices) {
  environment.required_text("id", limits::id_size_max);
  environment.required_text("name", limits::name_size_max);
  optional_object(environment, slices, "fields");
}

constexpr std::array<std::string_view, 3> environment_members{"id", "name", "fields"};
constexpr EntryRule environments_rule{"environments", limits::environments_per_assignment_max,
                                      environment_members, 2, check_environment};

std::string text_or(const JsonSlices& slices, std::string_view name, std::string_view otherwise) {
  return std::string(slices.find(name).value_or(otherwise));
}

constexpr std::array<std::string_view, 10> assignment_members{
    "configId",   "systemId", "strategyId", "intervalSeconds", "configName",
    "systemName", "config",   "collectors", "environments",    "systemMetadata"};

std::string id_in(const JsonSlices& slices, std::string_view name) {
  json values = slices.parsed({name});
  JsonFields fields(values, "$");
  return fields.required_text(name, limits::id_size_max);
}

/// Whoever complains about an assignment names its check, its strategy and its environments, as far
/// as there are any to name.
RejectedAssignment rejected(std::string_view text, std::size_t index, std::string why) {
  RejectedAssignment assignment{index, std::move(why)};
  constexpr std::array<std::string_view, 4> names{"strategyId", "configId", "systemId",
                                                  "environments"};
  const auto slices = JsonSlices::of(text, names);
  if (!slices) return assignment;
  assignment.strategy_id = id_in(*slices, "strategyId");
  assignment.config_id = id_in(*slices, "configId");
  assignment.system_id = id_in(*slices, "systemId");
  const auto environments = slices->find("environments");
  if (!environments) return assignment;
  const auto entries = slice_entries(*environments, limits::environments_per_assignment_max);
  if (!entries) return assignment;
  for (const std::string_view entry : *entries) {
    constexpr std::array<std::string_view, 1> id{"id"};
    const auto environment = JsonSlices::of(entry, id);
    if (environment) assignment.environment_ids.push_back(id_in(*environment, "id"));
  }
  std::erase(assignment.environment_ids, std::string());
  return assignment;
}

/// Errors name the path within the assignment: its place in the set changes with its neighbours,
/// and what is wrong with it does not.
Result<Assignment> decode_assignment(std::string_view text) {
  const std::string path = "$";
  const auto slices = JsonSlices::of(text, assignment_members);
  if (!slices) return Error{slices.error().code, path + ": " + slices.error().message};
  json values = slices->parsed(
      {"configId", "systemId", "strategyId", "intervalSeconds", "configName", "systemName"});
  JsonFields fields(values, path);
  Assignment assignment;
  assignment.config_id = ConfigId(fields.required_text("configId", limits::id_size_max));
  assignment.system_id = SystemId(fields.required_text("systemId", limits::id_size_max));
  assignment.strategy_id = fields.required_text("strategyId", limits::id_size_max);
  assignment.interval = std::chrono::duration<double>(fields.required_number("intervalSeconds"));
  assignment.config_name = fields.optional_text("configName", limits::name_size_max);
  assignment.system_name = fields.optional_text("systemName", limits::name_size_max);
  require_object(fields, *slices, "config");
  optional_object(fields, *slices, "systemMetadata");
  check_entries(fields, *slices, collectors_rule);
  check_entries(fields, *slices, environments_rule);
  if (fields.failed()) return fields.error();
  assignment.config_json = text_or(*slices, "config", "{}");
  assignment.collectors_json = text_or(*slices, "collectors", "[]");
  assignment.environments_json = text_or(*slices, "environments", "[]");
  assignment.system_metadata_json = text_or(*slices, "systemMetadata", "{}");
  return assignment;
}

}  // namespace

Result<AssignmentSet> decode_assignments(std::string_view array) {
  const auto entries = slice_entries(array, limits::assignments_max);
  if (!entries) return Error{entries.error().code, "$.assignments: " + entries.error().message};
  AssignmentSet set;
  set.accepted.reserve(entries->size());
  for (std::size_t index = 0; index < entries->size(); ++index) {
    auto assignment = decode_assignment((*entries)[index]);
    if (assignment) {
      set.accepted.push_back(std::move(*assignment));
    } else {
      set.rejected.push_back(rejected((*entries)[index], index, assignment.error().message));
    }
  }
  return set;
}

}  // namespace satellite::protocol
