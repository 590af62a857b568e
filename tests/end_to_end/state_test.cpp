// What checks keep between their runs, over restarts, kills and the end of a check.
#include "tests/end_to_end/check_scene.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

using namespace satellite;
using namespace satellite::tests;
namespace fs = std::filesystem;

namespace {

/// Says how often it ran.
const std::string counting =
    "cd \"$CHECKSTACK_STATE_DIRECTORY\" && echo x >> runs && echo $(wc -l < runs)";

Scene::Options keeping(const std::vector<json>& checks, const std::string& section = "") {
  auto options = with_checks(checks);
  options.settings_file = "[host_view]\nstate = \"64KiB\"\n" + section;
  options.environment["CHECKSTACK_SATELLITE_BACKOFF_MAX"] = "1";
  return options;
}

std::vector<fs::path> state_files(Scene& scene) {
  std::vector<fs::path> files;
  const auto place = scene.state_directory() / "check-state";
  if (!fs::exists(place)) return files;
  for (const auto& entry : fs::directory_iterator(place)) files.push_back(entry.path());
  return files;
}

/// The numbers that the runs of a check said, in their order: what waited on the disk may be said
/// after the first results of the next life.
std::vector<int> counts_of(Scene& scene, const std::string& config_id,
                           const std::optional<std::string>& environment = std::nullopt) {
  std::vector<json> results = results_of(scene, config_id);
  std::stable_sort(results.begin(), results.end(), [](const json& one, const json& other) {
    return one.at("executedAt") < other.at("executedAt");
  });
  std::vector<int> counts;
  for (const json& result : results) {
    if (environment && result.at("environmentId") != *environment) continue;
    counts.push_back(std::stoi(collector_of(result).at("stdout").get<std::string>()));
  }
  return counts;
}

bool is_one_after_the_other(const std::vector<int>& counts) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != static_cast<int>(i) + 1) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a check finds what its last run kept, also after the satellite was started again") {
  Scene scene(keeping({shell_check("counts", counting, 1)}));
  const json first = nth_result(scene, "counts", 2);
  const json sandbox = collector_of(first).at("_sandbox");
  CHECK(sandbox.at("grants") == json::array({"state 64KiB"}));
  CHECK_FALSE(sandbox.contains("notes"));
  scene.end_satellite(SIGTERM);
  const auto before = counts_of(scene, "counts");
  CHECK(is_one_after_the_other(before));
  CHECK(state_files(scene).size() == 1);
  scene.start_satellite();
  REQUIRE(scene.core().wait_until_authenticated());
  nth_result(scene, "counts", before.size() + 2);
  CHECK(is_one_after_the_other(counts_of(scene, "counts")));
}

TEST_CASE("each check and each environment of one keeps its own, and it goes with the check") {
  json check = shell_check("envs", counting, 1);
  check["environments"] = json::parse(
      R"([{"id":"env-a","name":"A","fields":{}},{"id":"env-b","name":"B","fields":{}}])");
  Scene scene(keeping({check, shell_check("other", counting, 1)}));
  eventually("all have run twice", [&] {
    return counts_of(scene, "envs", "env-a").size() > 1 &&
           counts_of(scene, "envs", "env-b").size() > 1 && counts_of(scene, "other").size() > 1;
  });
  CHECK(is_one_after_the_other(counts_of(scene, "envs", "env-a")));
  CHECK(is_one_after_the_other(counts_of(scene, "envs", "env-b")));
  CHECK(is_one_after_the_other(counts_of(scene, "other")));
  eventually("three states are on the disk", [&] { return state_files(scene).size() == 3; });
  // One check stays and has one environment less.
  check["environments"].erase(1);
  scene.core().push_assignments(as_set({check}));
  eventually("one state is left", [&] { return state_files(scene).size() == 1; });
  const auto seen = counts_of(scene, "envs", "env-a").size();
  eventually("it goes on", [&] { return counts_of(scene, "envs", "env-a").size() > seen; });
  CHECK(is_one_after_the_other(counts_of(scene, "envs", "env-a")));
  // Whoever comes back begins anew.
  scene.core().push_assignments(as_set({check, shell_check("other", counting, 1)}));
  eventually("the other is back", [&] {
    return counts_of(scene, "other").back() == 1 && state_files(scene).size() == 2;
  });
}

TEST_CASE("a satellite that is killed keeps the states of before, whole") {
  // One that is in its run whenever the satellite dies: what it wrote by then is of no run.
  const std::string slow =
      "cd \"$CHECKSTACK_STATE_DIRECTORY\" && echo x >> runs && echo $(wc -l < runs) && sleep 0.2";
  Scene scene(keeping({shell_check("slow", slow, 1)}));
  std::size_t results = 0;
  for (int i = 0; i < 3; ++i) {
    results += 2;
    nth_result(scene, "slow", results);
    scene.end_satellite(SIGKILL);
    results = results_of(scene, "slow").size();
    scene.start_satellite();
    REQUIRE(scene.core().wait_until_authenticated());
  }
  nth_result(scene, "slow", results + 1);
  // For each kill one run may have been told and not kept, and one result told twice.
  const auto counts = counts_of(scene, "slow");
  CHECK(std::is_sorted(counts.begin(), counts.end()));
  CHECK(counts.back() >= static_cast<int>(results) - 6);
  // One is there while a state is written, and none is left of a write that did not end.
  eventually("no half of a write is left", [&] {
    const auto files = state_files(scene);
    return std::none_of(files.begin(), files.end(),
                        [](const auto& file) { return file.extension() == ".new"; });
  });
}

TEST_CASE("an ephemeral satellite keeps nothing, and each report that would have says so") {
  auto options = keeping({shell_check("counts", counting, 1)});
  options.environment["CHECKSTACK_SATELLITE_EPHEMERAL"] = "true";
  Scene scene(std::move(options));
  scene.wait_for_log(" check_state_not_kept ");
  for (const json& result : {nth_result(scene, "counts", 1), nth_result(scene, "counts", 2)}) {
    CHECK(collector_of(result).at("stdout") == "1");
    const auto notes = collector_of(result).at("_sandbox").at("notes").dump();
    CHECK(notes.find("state.ephemeral") != std::string::npos);
  }
  CHECK(state_files(scene).empty());
}
