#include "tests/end_to_end/check_scene.hpp"

#include "tests/support/sanitizer.hpp"

#include <catch2/catch.hpp>

#include <set>

namespace satellite::tests {

json shell_check(const std::string& config_id, const std::string& script, double seconds) {
  return {{"configId", config_id},
          {"systemId", "sys-1"},
          {"strategyId", "healthcheck-script.script"},
          {"config", {{"timeout", 30000}}},
          {"collectors", json::array({{{"id", "c1"},
                                       {"collectorId", "healthcheck-script.execute"},
                                       {"config", {{"script", script}, {"timeout", 10000}}}}})},
          {"intervalSeconds", seconds},
          {"configName", "Check " + config_id},
          {"systemName", "System One"},
          {"systemMetadata", {{"owner", "team-a"}, {"tier", 1}, {"baseUrl", "http://sys"}}}};
}

std::string as_set(const std::vector<json>& checks) {
  return json(checks).dump();
}

json with_token(json check) {
  check["collectors"][0]["config"]["secretEnv"] = {{"API_TOKEN", "${{ secrets.token }}"}};
  return check;
}

Scene::Options with_checks(const std::vector<json>& checks, devcore::SecretReplies secrets) {
  Scene::Options options = Scene::with_policy(default_policy);
  options.core.assignments = as_set(checks);
  options.core.secrets = std::move(secrets);
  return options;
}

std::vector<json> results_of(Scene& scene, const std::string& config_id) {
  std::vector<json> results;
  for (const json& result : scene.results()) {
    if (result.at("configId") == config_id) results.push_back(result);
  }
  return results;
}

std::size_t runs_of(Scene& scene, const std::string& config_id) {
  std::set<json> different;
  for (const json& result : results_of(scene, config_id)) different.insert(result);
  return different.size();
}

json nth_result(Scene& scene, const std::string& config_id, std::size_t count) {
  json result;
  const auto has_come = [&] {
    std::size_t found = 0;
    for (const json& next : scene.results()) {
      if (next.at("configId") != config_id || ++found < count) continue;
      result = next;
      return true;
    }
    return false;
  };
  eventually("result " + std::to_string(count) + " of " + config_id, has_come,
             std::chrono::seconds(has_thread_sanitizer ? 600 : 300));
  CHECK(scene.core().ledger().invalid_frames() == std::vector<std::string>{});
  return result;
}

json collector_of(const json& result) {
  return result.at("result").at("metadata").at("collectors").at("c1");
}

}  // namespace satellite::tests
