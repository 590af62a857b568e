#include "protocol/decoding/assignments.hpp"

#include "protocol/decoding/json_slices.hpp"
#include "protocol/vocabulary/json_fields.hpp"
#include "protocol/vocabulary/limits.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace satellite::protocol {
namespace {

using nlohmann::json;

void require_object(JsonFields& fields, std::string_view name) {
  if (!fields.has(name)) {
    fields.fail(ErrorCode::invalid_input, name, "is missing");
  } else {
    fields.optional_object(name);
  }
}

void check_assertions(JsonFields& collector) {
  json* assertions = collector.optional_array("assertions", limits::assertions_per_collector_max);
  if (assertions == nullptr) return;
  for (std::size_t i = 0; i < assertions->size() && !collector.failed(); ++i) {
    JsonFields assertion((*assertions)[i], collector.path_of("assertions", i));
    assertion.required_text("field", limits::reason_size_max);
    assertion.optional_text("jsonPath", limits::reason_size_max);
    assertion.required_text("operator", limits::id_size_max);
    if (assertion.failed()) collector.fail(assertion.error());
  }
}

/// The entries go on as text; here only their shape is judged, so that a run never meets a
/// collector without a configuration.
void check_collectors(JsonFields& assignment) {
  json* collectors = assignment.optional_array("collectors", limits::collectors_per_assignment_max);
  if (collectors == nullptr) return;
  for (std::size_t i = 0; i < collectors->size() && !assignment.failed(); ++i) {
    JsonFields collector((*collectors)[i], assignment.path_of("collectors", i));
    collector.required_text("id", limits::id_size_max);
    collector.required_text("collectorId", limits::id_size_max);
    require_object(collector, "config");
    check_assertions(collector);
    if (collector.failed()) assignment.fail(collector.error());
  }
}

void check_environments(JsonFields& assignment) {
  json* environments =
      assignment.optional_array("environments", limits::environments_per_assignment_max);
  if (environments == nullptr) return;
  for (std::size_t i = 0; i < environments->size() && !assignment.failed(); ++i) {
    JsonFields environment((*environments)[i], assignment.path_of("environments", i));
    environment.required_text("id", limits::id_size_max);
    environment.required_text("name", limits::name_size_max);
    environment.optional_object("fields");
    if (environment.failed()) assignment.fail(environment.error());
  }
}

std::string text_or(const JsonSlices& slices, std::string_view name, std::string_view otherwise) {
  return std::string(slices.find(name).value_or(otherwise));
}

bool is_object(const JsonSlices& slices, std::string_view name) {
  const auto text = slices.find(name);
  return text && text->front() == '{';
}

constexpr std::array<std::string_view, 10> assignment_members{
    "configId",   "systemId", "strategyId", "intervalSeconds", "configName",
    "systemName", "config",   "collectors", "environments",    "systemMetadata"};

/// Who complains about an assignment names its strategy, if there is one to name.
std::string strategy_of(std::string_view text) {
  constexpr std::array<std::string_view, 1> names{"strategyId"};
  const auto slices = JsonSlices::of(text, names);
  if (!slices) return {};
  json values = slices->parsed({"strategyId"});
  JsonFields fields(values, "$");
  return fields.required_text("strategyId", limits::id_size_max);
}

Result<Assignment> decode_assignment(std::string_view text, const std::string& path) {
  const auto slices = JsonSlices::of(text, assignment_members);
  if (!slices) return Error{slices.error().code, path + ": " + slices.error().message};
  json values = slices->parsed({"configId", "systemId", "strategyId", "intervalSeconds",
                                "configName", "systemName", "collectors", "environments"});
  JsonFields fields(values, path);
  Assignment assignment;
  assignment.config_id = ConfigId(fields.required_text("configId", limits::id_size_max));
  assignment.system_id = SystemId(fields.required_text("systemId", limits::id_size_max));
  assignment.strategy_id = fields.required_text("strategyId", limits::id_size_max);
  assignment.interval = std::chrono::duration<double>(fields.required_number("intervalSeconds"));
  assignment.config_name = fields.optional_text("configName", limits::name_size_max);
  assignment.system_name = fields.optional_text("systemName", limits::name_size_max);
  if (!is_object(*slices, "config")) {
    fields.fail(ErrorCode::invalid_input, "config", "must be an object");
  }
  if (slices->find("systemMetadata") && !is_object(*slices, "systemMetadata")) {
    fields.fail(ErrorCode::invalid_input, "systemMetadata", "must be an object");
  }
  check_collectors(fields);
  check_environments(fields);
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
    const std::string path = "$.assignments[" + std::to_string(index) + "]";
    auto assignment = decode_assignment((*entries)[index], path);
    if (assignment) {
      set.accepted.push_back(std::move(*assignment));
    } else {
      set.rejected.push_back(
          {index, std::move(assignment).error().message, strategy_of((*entries)[index])});
    }
  }
  return set;
}

}  // namespace satellite::protocol
