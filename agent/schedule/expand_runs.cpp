#include "agent/schedule/expand_runs.hpp"

#include "agent/checks/check_key.hpp"

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>

namespace satellite::agent {
namespace {

using Json = nlohmann::ordered_json;

/// Any number, also none at all, held within what a clock can count; the timetable has its own
/// bounds.
std::chrono::nanoseconds bounded(std::chrono::duration<double> interval) {
  constexpr double seconds_max = 1e9;
  const double seconds = std::isfinite(interval.count()) ? interval.count() : seconds_max;
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>(std::clamp(seconds, 0.0, seconds_max) * 1e9));
}

std::uint64_t joined(std::uint64_t fingerprint, std::string_view text) {
  const std::uint64_t next = std::hash<std::string_view>{}(text);
  return fingerprint ^ (next + 0x9E3779B97F4A7C15U + (fingerprint << 6U) + (fingerprint >> 2U));
}

/// Names are left out: a check that is only renamed has nothing new to measure.
std::uint64_t fingerprint_of(const protocol::Assignment& assignment) {
  std::uint64_t fingerprint = 0;
  for (const std::string* part : {&assignment.strategy_id, &assignment.config_json,
                                  &assignment.collectors_json, &assignment.system_metadata_json}) {
    fingerprint = joined(fingerprint, *part);
  }
  return fingerprint;
}

}  // namespace

std::vector<PlannedRun> expand_runs(std::shared_ptr<const protocol::Assignment> assignment) {
  PlannedRun run;
  run.interval = bounded(assignment->interval);
  run.fingerprint = fingerprint_of(*assignment);
  const Json environments = assignment->environments_json == "[]"
                                ? Json::array()
                                : Json::parse(assignment->environments_json, nullptr, false);
  std::vector<PlannedRun> runs;
  if (!environments.is_array() || environments.empty()) {
    run.key = check_key(*assignment, std::nullopt);
    run.assignment = std::move(assignment);
    runs.push_back(std::move(run));
    return runs;
  }
  for (std::size_t i = 0; i < environments.size(); ++i) {
    const Json& environment = environments[i];
    PlannedRun one = run;
    one.environment_id = environment.value("id", std::string());
    one.key = check_key(*assignment, one.environment_id);
    one.fingerprint =
        joined(one.fingerprint, environment.dump(-1, ' ', false, Json::error_handler_t::replace));
    one.assignment = assignment;
    runs.push_back(std::move(one));
  }
  return runs;
}

}  // namespace satellite::agent
