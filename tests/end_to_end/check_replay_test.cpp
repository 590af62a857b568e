// The core's side of a recorded conversation, said again to this satellite: what it answers must be
// what was answered then, up to ids, times, our additions and the differences `recording` names.
#include "tests/end_to_end/check_scene.hpp"
#include "tests/end_to_end/recording.hpp"
#include "tests/support/require_layer.hpp"

#include <unistd.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <thread>

using namespace satellite;
using namespace satellite::tests;

namespace {

// A new check waits for its own moment within the first half minute.
constexpr std::chrono::seconds patience{60};

Scene::Options scene_of(const Recording& recording) {
  const json& begin = recording.stages.front().said;
  Scene::Options options = Scene::with_policy(
      begin.contains("sandboxPolicy") ? begin.at("sandboxPolicy").dump() : default_policy);
  options.core.assignments = begin.at("assignments").dump();
  options.core.secrets = recording.secrets;
  options.environment["CHECKSTACK_SATELLITE_CHECK_CONCURRENCY"] = "16";
  options.environment["CHECKSTACK_SATELLITE_MODULE_RUNTIME"] = "none";  // as any host may be
  return options;
}

/// What this satellite said since a stage began: the last result of each key.
class Answers {
 public:
  Answers(Scene& scene, std::size_t position) : scene_(scene), position_(position) {}

  void look() {
    const auto frames = scene_.core().ledger().frames("result");
    for (; position_ < frames.size(); ++position_) {
      json result = json::parse(frames[position_]);
      const std::string key = result_key(result);
      results_[key] = comparable(std::move(result));
    }
  }
  /// Null where there is none.
  json of(const std::string& key) const {
    const auto found = results_.find(key);
    return found == results_.end() ? json() : found->second;
  }

 private:
  Scene& scene_;
  std::size_t position_;
  std::map<std::string, json> results_;
};

/// Every result of the stage comes; a run begun before the push may still report the old state.
std::size_t compare(const Recording& recording, const RecordedStage& stage, Answers& answers) {
  std::map<std::string, json> expected;
  for (const auto& [key, theirs] : stage.results) {
    expected[key] = expected_of_ours(recording, stage, theirs);
  }
  const auto begin = std::chrono::steady_clock::now();
  bool all = false;
  while (!all && std::chrono::steady_clock::now() - begin < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    answers.look();
    all = std::all_of(expected.begin(), expected.end(),
                      [&](const auto& one) { return answers.of(one.first) == one.second; });
  }
  for (const auto& [key, result] : expected) {
    INFO(key);
    CHECK(answers.of(key) == result);
  }
  return expected.size();
}

/// How many results were compared.
std::size_t replay(const Recording& recording) {
  Scene scene(scene_of(recording));
  std::size_t compared = 0;
  for (const RecordedStage& stage : recording.stages) {
    INFO(stage.said.dump().substr(0, 200));
    // The first of these was said when the satellite authenticated.
    const bool is_first = &stage == &recording.stages.front();
    Answers answers(scene, is_first ? 0 : scene.core().ledger().frames("result").size());
    if (!is_first) scene.core().push_text(stage.said.dump());
    compared += compare(recording, stage, answers);
  }
  CHECK(scene.core().ledger().invalid_frames() == std::vector<std::string>{});
  return compared;
}

}  // namespace

TEST_CASE("said what a core said in a recording, this satellite answers as it was answered") {
  const bool readable = ::access(SATELLITE_RECORDINGS, R_OK | X_OK) == 0;
  const char* const reason = "the recordings' folder is closed to the user of this pass";
  if (!require_layer("recordings", readable, reason)) return;
  std::size_t recordings = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SATELLITE_RECORDINGS)) {
    if (entry.path().extension() != ".jsonl") continue;
    INFO(entry.path().filename().string());
    CHECK(replay(recording_in(entry.path())) > 0);
    ++recordings;
  }
  CHECK(recordings >= 2);
}

TEST_CASE("said what a real core said, this satellite answers what the existing one answered") {
  const char* const path = std::getenv("SATELLITE_TRANSCRIPT");
  // Not part of this repository; our own recordings always are.
  if (!require_layer("transcript", path != nullptr, "SATELLITE_TRANSCRIPT names none")) return;
  CHECK(replay(recording_in(path)) >= 17);
}
